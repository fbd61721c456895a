import { agoText, bytesText, countText, durationText } from '../observe/observe.ts';
import type { CycleDocument, CyclesDocument, SnapshotDocument, SnapshotsDocument } from './documents.ts';
import { html, type Html } from './html.ts';

/** `2026-11-01 03:00 UTC`. */
export function timeOf(time: string): string {
  return `${time.slice(0, 16).replace('T', ' ')} UTC`;
}

const openMax = 12;

export function snapshotsView({ snapshots, looked }: SnapshotsDocument, nowMs: number): Html {
  const rest = snapshots.slice(openMax);
  return html`<section id="snapshots">
    <h2>Snapshots</h2>
    <p class="lead">
      ${looked === null ? 'The repository was not looked at yet.' : html`The newest first, as the repository was found ${agoText(Date.parse(looked), nowMs)}. Each is whole by itself; what they share is stored once.`}
    </p>
    ${snapshots.length > 0 && snapshotTable(snapshots.slice(0, openMax), nowMs)}
    ${
      rest.length > 0 &&
      html`<details id="older">
        <summary>${countText(rest.length)} older</summary>
        ${snapshotTable(rest, nowMs)}
      </details>`
    }
  </section>`;
}

function snapshotTable(snapshots: readonly SnapshotDocument[], nowMs: number): Html {
  return html`<table>
    <thead>
      <tr>
        <th>taken</th>
        <th>views</th>
        <th>why it is kept</th>
        <th class="number">new</th>
        <th class="number">in all</th>
      </tr>
    </thead>
    <tbody>
      ${snapshots.map(
        ({ id, taken, verified, pinned, views, reasons, newBytes, bytes }) =>
          html`<tr>
            <td class="time">
              ${timeOf(taken)} <span class="quiet small">${agoText(Date.parse(taken), nowMs)}</span
              ><br /><code class="quiet">${id}</code>
            </td>
            <td>
              ${views.map((view) => html`<span class="view">${view}</span>`)}${pinned && html`<span class="view">pinned</span>`}
            </td>
            <td>
              ${verified ? html`<span class="good">verified</span>` : html`<span class="warn">not verified</span>`}${reasons.length > 0 && html`<span class="quiet">; ${reasons.join('; ')}</span>`}
            </td>
            <td class="number" data-label="new">${bytesText(newBytes)}</td>
            <td class="number" data-label="in all">${bytesText(bytes)}</td>
          </tr> `,
      )}
    </tbody>
  </table>`;
}

export function cyclesView({ cycles, next }: CyclesDocument, nowMs: number): Html {
  return html`<section id="cycles">
    <h2>Cycles</h2>
    <p class="lead">${next === null ? 'None is scheduled.' : html`The next begins at ${timeOf(next)}.`}</p>
    ${
      cycles.length === 0
        ? html`<p class="quiet">None has run yet.</p>`
        : html`<table>
            <thead>
              <tr>
                <th>began</th>
                <th>outcome</th>
                <th>phases</th>
                <th class="number">took</th>
                <th class="number">added</th>
              </tr>
            </thead>
            <tbody>
              ${cycles.map((cycle) => cycleRow(cycle, nowMs))}
            </tbody>
          </table>`
    }
  </section>`;
}

function cycleRow(cycle: CycleDocument, nowMs: number): Html {
  const { began, trigger, tookMs, newBytes, expired } = cycle;
  const letGo =
    expired !== null && expired > 0 && html`<br /><span class="quiet small">${expired} expired</span>`;
  return html`<tr>
    <td class="time">
      ${timeOf(began)}
      <span class="quiet small"
        >${agoText(Date.parse(began), nowMs)}${trigger !== null && `, by ${trigger}`}</span
      >
    </td>
    <td>${outcomeOf(cycle)}</td>
    <td>${phasesOf(cycle)}</td>
    <td class="number" data-label="took">${tookMs === null ? '' : durationText(tookMs)}</td>
    <td class="number" data-label="added">${newBytes === null ? '' : bytesText(newBytes)}${letGo}</td>
  </tr> `;
}

function outcomeOf({ outcome, phase, verified, problem, hint, snapshot }: CycleDocument): Html {
  const more = html`${problem !== null && html`<br />${problem}`}${hint !== null && html`<br /><span class="quiet small">${hint}</span>`}`;
  switch (outcome) {
    case 'running':
      return html`runs now${phase !== null && `: ${phase}`}`;
    case 'failed':
      return html`<span class="bad">failed</span>${more}`;
    case 'published':
      return html`<span class="good">published</span
        >${verified === false && html`, <span class="warn">not verified</span>`}<br /><code class="quiet"
          >${snapshot ?? ''}</code
        >${more}`;
  }
}

/** A bar whose parts are as long as the phases took, and the same in words. */
function phasesOf({ phasesMs }: CycleDocument): Html | string {
  const phases = Object.entries(phasesMs).flatMap(([name, ms]) => (ms === undefined ? [] : [{ name, ms }]));
  const total = phases.reduce((sum, { ms }) => sum + ms, 0);
  if (total === 0) return '';
  let x = 0;
  const bars = phases.map(({ name, ms }, index) => {
    const from = x;
    x += (ms / total) * 100;
    return html`<rect
      class="p${index}"
      x="${from.toFixed(2)}"
      y="0"
      width="${(x - from).toFixed(2)}"
      height="10"
      ><title>${name} ${durationText(ms)}</title></rect
    >`;
  });
  const longest = phases.toSorted((a, b) => b.ms - a.ms).slice(0, 3);
  return html`<span class="small quiet"
      >${longest.map(({ name, ms }) => `${name} ${durationText(ms)}`).join(', ')}</span
    ><svg
      class="phases"
      viewBox="0 0 100 10"
      preserveAspectRatio="none"
      role="img"
      aria-label="${phases.map(({ name, ms }) => `${name} ${durationText(ms)}`).join(', ')}"
    >
      ${bars}
    </svg>`;
}
