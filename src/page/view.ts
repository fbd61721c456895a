/** The page as a whole, and its first lines. */
import { createHash } from 'node:crypto';
import { agoText, bytesText, countText, plural } from '../observe/observe.ts';
import { addressOf, choiceOf, topicsPerPage, type Asked, type Choice } from './choice.ts';
import { columnsOf } from './columns.ts';
import type { Documents, StatusDocument, TopicsDocument } from './documents.ts';
import { html, verbatim, type Html } from './html.ts';
import { restoreView } from './restore-view.ts';
import { script } from './script.ts';
import { style } from './style.ts';
import { cyclesView, snapshotsView, timeOf } from './tables.ts';

const refreshSeconds = 30;

/** Nothing is loaded from anywhere, nothing runs but this script, and nobody may put the page into a frame. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src '${hashOf(style)}'`,
  `script-src '${hashOf(script)}'`,
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

export function pageText(documents: Documents, asked: Asked): string {
  const { status, snapshots, cycles } = documents;
  const nowMs = Date.parse(status.time);
  const choice = choiceOf(documents, asked);
  const shown = documents.topics(asked);
  const address = addressOf(asked, {});
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${status.healthy ? '' : '! '}varve · ${status.name}</title>
        <noscript><meta http-equiv="refresh" content="${refreshSeconds};url=${address}" /></noscript>
        ${verbatim(`<style>${style}</style>`)}
      </head>
      <body>
        <main data-now="${nowMs}">
          <svg class="unseen" aria-hidden="true">
            <defs>
              <pattern id="loose" width="5" height="5" patternUnits="userSpaceOnUse">
                <path d="M-1 6L6 -1" />
              </pattern>
            </defs>
          </svg>
          ${headView(status, nowMs)}
          ${choice === undefined ? missedView(asked) : restoreView(choice, { asked, nowMs })}
          ${topicsView({ shown, asked, choice })} ${snapshotsView(snapshots, nowMs)}
          ${cyclesView(cycles, nowMs)}
          <footer>
            <p id="age">
              As of ${timeOf(status.time)}. varve ${status.version}, running since ${timeOf(status.started)}.
            </p>
            <nav aria-label="the same as JSON">
              ${(['status', 'topics', 'snapshots', 'cycles'] as const).map((name) => html`<a href="/api/v1/${name}">${name}.json</a>`)}<a
                href="/metrics"
                >metrics</a
              >
            </nav>
          </footer>
        </main>
        ${verbatim(`<script>${script}</script>`)}
      </body>
    </html> `.toString();
}

function headView(status: StatusDocument, nowMs: number): Html {
  const { name, instance, cluster, concerns } = status;
  return html`<header>
    <p class="brand">
      <b>varve</b
      ><span>${name}${instance !== 'main' && ` / ${instance}`}</span
      >${cluster !== null && html`<span>cluster ${cluster}</span>`}
    </p>
    <h1>${titleOf(status)}</h1>
    ${
      concerns.length > 0 &&
      html`<ul class="concerns">
        ${concerns.map(({ level, what, hint }) => html`<li class="${level}">${what}<span class="hint">${hint}</span></li>`)}
      </ul>`
    }
    <dl class="first">${newestView(status, nowMs)} ${lossView(status)} ${absentView(status)}</dl>
  </header>`;
}

function titleOf({ healthy, concerns, newestVerified, repository }: StatusDocument): string {
  if (concerns.some(({ level }) => level === 'bad')) return 'This backup needs somebody.';
  if (newestVerified === null)
    return repository === null ? 'It is being laid down.' : 'The first layers are being laid down.';
  return healthy ? 'The backup is good.' : 'The backup is good, with something to look at.';
}

function newestView({ newestVerified, newest, snapshots, nextCycle }: StatusDocument, nowMs: number): Html {
  const next = nextCycle !== null && html`; next cycle ${timeOf(nextCycle)}`;
  if (newestVerified === null)
    return html`<div>
      <dt>Newest verified snapshot</dt>
      <dd class="figure">${snapshots === null ? 'not known yet' : 'none'}</dd>
      <dd>${plural(snapshots ?? 0, 'snapshot')}${next}</dd>
    </div>`;
  const isNewest = newest?.id === newestVerified.id;
  return html`<div>
    <dt>Newest verified snapshot</dt>
    <dd class="figure">${agoText(Date.parse(newestVerified.taken), nowMs)}</dd>
    <dd>
      ${timeOf(newestVerified.taken)},
      <code>${newestVerified.id}</code
      >${!isNewest && newest !== null && html`; the newest, of ${timeOf(newest.taken)}, is not verified`}${next}
    </dd>
  </div>`;
}

function lossView({ unsavedRecords, unsavedBytes, lagRecords }: StatusDocument): Html {
  const lag =
    lagRecords === 0
      ? 'this disk has all that is committed'
      : `${countText(lagRecords)} of them not on this disk either`;
  if (unsavedRecords === null)
    return html`<div>
      <dt>Lost if this host were gone now</dt>
      <dd class="figure">not known yet</dd>
      <dd>${lag}</dd>
    </div>`;
  const bytes = unsavedBytes === null || unsavedBytes === 0 ? '' : `${bytesText(unsavedBytes)} `;
  return html`<div>
    <dt>Lost if cluster and host were gone now</dt>
    <dd class="figure">${unsavedRecords === 0 ? 'nothing' : plural(unsavedRecords, 'record')}</dd>
    <dd>
      ${unsavedRecords === 0 ? 'every record is in a snapshot' : `${bytes}since the newest snapshot; ${lag}`}
    </dd>
  </div>`;
}

const namedMax = 12;

function absentView({ notBackedUp, topics }: StatusDocument): Html {
  const count = notBackedUp.length;
  return html`<div>
    <dt>Topics not backed up</dt>
    <dd class="${count === 0 ? 'figure' : 'figure bad'}">${count === 0 ? 'none' : countText(count)}</dd>
    <dd>
      ${plural(topics, 'topic')}
      followed${
        count > 0 &&
        html`<ul class="plain">
          ${notBackedUp.slice(0, namedMax).map(({ topic, reason }) => html`<li>${topic}: ${reason}</li>`)}${count > namedMax && html`<li>and ${count - namedMax} more</li>`}
        </ul>`
      }
    </dd>
  </div>`;
}

function missedView(asked: Asked): Html | false {
  return (
    asked.topic !== undefined &&
    html`<section id="restore" class="panel">
      <h2>There is no topic ${asked.topic}</h2>
      <p>Neither followed nor in the newest snapshot. <a href="/">All topics</a></p>
    </section>`
  );
}

function topicsView({
  shown,
  asked,
  choice,
}: {
  shown: TopicsDocument;
  asked: Asked;
  choice: Choice | undefined;
}): Html {
  const sortNames = {
    size: 'the largest first',
    name: 'by name',
    lag: 'the furthest behind first',
    unsaved: 'most in no snapshot first',
  };
  return html`<section id="strata">
    <h2>Strata</h2>
    <p class="lead">
      One column a topic, one layer a month, the newest on top. A layer that holds four times as much is twice
      as thick. Pick one to get the command that brings the topic back.
    </p>
    ${legend()}
    <form class="tools" method="get" action="/" role="search">
      <label
        >topics that hold<br /><input
          name="q"
          type="search"
          value="${asked.search}"
          autocomplete="off"
          maxlength="249"
      /></label>
      <label class="narrow"
        >order<br /><select name="sort">
          ${Object.entries(sortNames).map(([value, text]) => html`<option value="${value}" ${value === asked.sort && html` selected`}>${text}</option>`)}
        </select></label
      >
      <button>show</button>
      <span class="quiet small"
        >${shown.found > topicsPerPage ? `${countText(shown.topics.length)} of ${plural(shown.found, 'topic')}` : plural(shown.found, 'topic')}</span
      >
    </form>
    ${shown.topics.length === 0 ? html`<p class="quiet">No topic to show.</p>` : columnsOf(shown.topics, { asked, choice })}
    ${
      shown.pages > 1 &&
      html`<nav class="pages" aria-label="pages of topics">
        ${shown.page > 1 && html`<a rel="prev" href="${addressOf(asked, { page: shown.page - 1 })}#strata">before</a>`}<span
          >${shown.page} of ${shown.pages}</span
        >${shown.page < shown.pages && html`<a rel="next" href="${addressOf(asked, { page: shown.page + 1 })}#strata">next</a>`}
      </nav>`
    }
  </section>`;
}

function legend(): Html {
  return html`<ul class="legend">
    <li>${sample('unsaved')}in no snapshot yet</li>
    <li>${sample('open')}in a snapshot, the month goes on</li>
    <li>${sample('sealed')}closed and sealed</li>
    <li>
      <svg viewBox="0 0 24 13" aria-hidden="true">
        <g class="break">
          <path d="M0 7L3 3L6 7L9 3L12 7L15 3L18 7L21 3L24 7" />
          <path d="M0 11L3 7L6 11L9 7L12 11L15 7L18 11L21 7L24 11" />
        </g></svg
      >a gap: never saved
    </li>
  </ul>`;
}

function sample(kind: string): Html {
  return html`<svg viewBox="0 0 24 13" aria-hidden="true">
    <g class="layer ${kind} m9">
      <path d="M0 1C8 0 16 2 24 1V12C16 13 8 11 0 12Z" />
      ${kind !== 'sealed' && html`<path class="loose" d="M0 1C8 0 16 2 24 1V12C16 13 8 11 0 12Z" />`}
    </g>
  </svg>`;
}
