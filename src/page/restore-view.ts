import { bytesText, countText, plural } from '../observe/observe.ts';
import {
  addressOf,
  daysOf,
  endOfMonth,
  monthBefore,
  restoreCommands,
  type Asked,
  type Choice,
} from './choice.ts';
import { html, type Html } from './html.ts';
import { timeOf } from './tables.ts';
import type { TopicDocument } from './topics.ts';

/** One topic: what can be had back of it, and the command for the time that was picked. */
export function restoreView(choice: Choice, o: { asked: Asked; nowMs: number }): Html {
  const { topic, time, problem } = choice;
  const commands = restoreCommands(choice);
  return html`<section id="restore" class="panel">
    <h2>${topic.topic}</h2>
    <p>${rangeOf(topic)} ${factsOf(topic)}</p>
    <form class="tools" method="get" action="/#restore">
      <input type="hidden" name="topic" value="${topic.topic}" /><input
        type="hidden"
        name="id"
        value="${topic.topicId}"
      />
      <label
        >as it was at<br /><input
          name="time"
          value="${o.asked.time ?? ''}"
          placeholder="2026-11-01T00:00Z; empty: the newest"
          autocomplete="off"
          maxlength="64"
      /></label>
      <button>set</button>
    </form>
    ${problem !== undefined && html`<p class="bad">${problem}</p>`} ${daysView(choice, o)}
    <h3>${time === undefined ? 'Up to its newest record' : `As it was at ${timeOf(time)}`}</h3>
    ${
      commands.length === 0
        ? html`<p class="bad">No command is offered: Kafka itself would refuse this name.</p>`
        : commands.map(
            ({ what, command }) =>
              html`<p class="small quiet">${what}</p>
                <div class="command">
                  <pre tabindex="0">${command}</pre>
                  <button type="button" data-copy hidden>copy</button>
                </div>`,
          )
    }
    <p class="small quiet">
      A time is held against each record's own timestamp.
      ${time !== undefined && 'Records of that moment or later are left out. '}Add --dry-run to see the plan
      alone.
    </p>
    ${gapsView(topic)}
    <p class="small">
      <a href="${addressOf(o.asked, { topic: undefined, topicId: undefined, time: undefined })}"
        >Back to all topics</a
      >
    </p>
  </section>`;
}

function rangeOf({ from, to, isLive }: TopicDocument): string {
  if (from === null)
    return isLive ? 'In no snapshot yet; what came is on the local disk.' : 'Nothing of it is held.';
  const end = isLive ? 'now' : to === null ? 'its end' : timeOf(to);
  return `Can be had back as of any time from ${timeOf(from)} to ${end}.`;
}

function factsOf({ partitions, records, bytes, topicId, isLive, lagRecords }: TopicDocument): Html {
  const counted = records === null ? '' : `, ${countText(records)} records in the newest snapshot`;
  const lag = isLive
    ? `, ${lagRecords === 0 ? 'up to date' : `${countText(lagRecords)} behind`}`
    : ', no longer in the cluster';
  return html`<span class="quiet"
    >${plural(partitions, 'partition')}${counted}, ${bytesText(bytes)}${lag}; topic id
    <code>${topicId}</code>.</span
  >`;
}

/** The end of each day of the month that was picked: links, so that they work without a script. */
function daysView(choice: Choice, { asked, nowMs }: { asked: Asked; nowMs: number }): Html | false {
  const { month, topic, time } = choice;
  if (month === undefined) return false;
  const { topicId } = topic;
  const to = (end: string | undefined): string =>
    `${addressOf(asked, { topic: topic.topic, topicId, time: end })}#restore`;
  const ends = daysOf(month, nowMs);
  return html`<p class="small quiet">
      The end of a day (UTC) in ${month}:
      <a href="${to(endOfMonth(monthBefore(month)))}">the month before</a> ·
      <a href="${to(undefined)}">now</a>
    </p>
    <ol class="days">
      ${ends.map(({ day, end }) => html`<li><a href="${to(end)}" ${end === time && html` aria-current="true"`}>${day}</a></li>`)}
    </ol>`;
}

const gapsMax = 20;

function gapsView({ gaps }: TopicDocument): Html | false {
  if (gaps.length === 0) return false;
  return html`<h3>Gaps</h3>
    <ul class="small">
      ${gaps
        .slice(0, gapsMax)
        .map(
          ({ partition, from, to, at, isAccepted }) =>
            html`<li>
              partition ${partition}: offsets ${from} to ${String(BigInt(to) - 1n)} were deleted before they
              could be saved, met ${timeOf(at)}${isAccepted && html` <span class="quiet">(known)</span>`}
            </li>`,
        )}${gaps.length > gapsMax && html`<li>and ${gaps.length - gapsMax} more: varve gaps list</li>`}
    </ul>`;
}
