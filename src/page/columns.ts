/** Topics as columns of strata: one layer a month, the newest on top, gaps as breaks. SVG, without any style in it. */
import { escapeControls } from '../escape.ts';
import { bytesText, countText, plural } from '../observe/observe.ts';
import { addressOf, endOfMonth, type Asked, type Choice } from './choice.ts';
import { html, type Html } from './html.ts';
import type { GapDocument, MonthDocument, TopicDocument } from './topics.ts';

const width = 100;
const deepest = 300;
const thinnest = 5;
const breakHeight = 9;
/** What is older is drawn as one layer. */
const monthsMax = 24;
/** A layer that is thinner has no room for its name. */
const namedFrom = 14;

interface Layer {
  readonly month: string;
  readonly label: string;
  readonly kind: 'unsaved' | 'open' | 'sealed';
  readonly bytes: number;
}

interface Column {
  readonly topic: TopicDocument;
  readonly layers: readonly Layer[];
}

export function columnsOf(
  topics: readonly TopicDocument[],
  o: { asked: Asked; choice: Choice | undefined },
): Html {
  const columns = topics.map((topic) => ({ topic, layers: layersOf(topic.months) }));
  const tallest = Math.max(
    1,
    ...columns.map(({ layers }) => sumOf(layers.map(({ bytes }) => Math.sqrt(bytes)))),
  );
  const scale = deepest / tallest;
  return html`<ol class="columns">
    ${columns.map((column) => html`<li>${cardOf(column, { ...o, scale })}</li> `)}
  </ol>`;
}

/** What is in no snapshot lies on top of its month. */
function layersOf(months: readonly MonthDocument[]): Layer[] {
  const drawn = months.slice(0, monthsMax);
  const older = months.slice(monthsMax);
  const layers = drawn.flatMap(({ month, savedBytes, unsavedBytes, isSealed }): Layer[] => {
    const saved = { month, label: month, kind: isSealed ? 'sealed' : 'open', bytes: savedBytes } as const;
    const unsaved = { month, label: month, kind: 'unsaved', bytes: unsavedBytes } as const;
    return [unsaved, saved].filter(({ bytes }) => bytes > 0);
  });
  const first = older[0];
  if (first === undefined) return layers;
  const bytes = sumOf(older.map((month) => month.savedBytes + month.unsavedBytes));
  return [...layers, { month: first.month, label: `to ${first.month}`, kind: 'sealed', bytes }];
}

function cardOf(
  { topic, layers }: Column,
  o: { asked: Asked; choice: Choice | undefined; scale: number },
): Html {
  const isChosen = o.choice?.topic.topicId === topic.topicId;
  const address = chosenBy(o.asked, topic, undefined);
  return html`<div class="${isChosen ? 'column chosen' : 'column'}">
    <a class="name" href="${address}" title="${topic.topic}">${shortened(topic.topic)}</a>
    ${picture({ topic, layers }, o)}
    <p class="amount">${bytesText(topic.bytes)}</p>
    <p class="state">${stateOf(topic)}</p>
  </div>`;
}

/** The whole name stands in its title. */
function shortened(name: string): string {
  const shown = escapeControls(name);
  return shown.length <= 44 ? shown : `${shown.slice(0, 28)}…${shown.slice(-12)}`;
}

function stateOf(topic: TopicDocument): Html {
  if (topic.stopped > 0) return html`<span class="bad">${plural(topic.stopped, 'partition')} stopped</span>`;
  if (!topic.isLive) return html`<span class="quiet">no longer there</span>`;
  if (topic.lagRecords > 0) return html`<span class="warn">${countText(topic.lagRecords)} behind</span>`;
  return html`<span class="quiet">up to date</span>`;
}

function chosenBy(asked: Asked, { topic, topicId }: TopicDocument, time: string | undefined): string {
  return `${addressOf(asked, { topic, topicId, time })}#restore`;
}

function picture(
  { topic, layers }: Column,
  { asked, choice, scale }: { asked: Asked; choice: Choice | undefined; scale: number },
): Html {
  if (layers.length === 0)
    return html`<svg
      class="strata"
      viewBox="0 0 ${width} 12"
      width="${width}"
      height="12"
      role="img"
      aria-label="nothing yet"
    >
      <path class="bed" d="M0 1H${width}" />
    </svg>`;
  const breaks = breaksOf(topic.gaps, layers);
  const parts: Html[] = [];
  let y = 2;
  let above: Edge = edgeAt(y, { seed: 'surface', swing: 1 });
  for (const [index, layer] of layers.entries()) {
    const height = Math.max(thinnest, Math.sqrt(layer.bytes) * scale);
    y += height;
    const next = layers[index + 1];
    const swing = Math.min(
      3,
      height * 0.3,
      next === undefined ? 1 : Math.max(thinnest, Math.sqrt(next.bytes) * scale) * 0.3,
    );
    const below = edgeAt(y, { seed: `${layer.month}${layer.kind}`, swing });
    const isPicked = choice?.topic.topicId === topic.topicId && choice.month === layer.month;
    parts.push(
      layerPicture(layer, {
        above,
        below,
        y: y - height / 2,
        height,
        isPicked,
        href: chosenBy(asked, topic, hrefTime(layer, index)),
      }),
    );
    above = below;
    const gaps = breaks.get(index);
    if (gaps !== undefined) {
      parts.push(breakPicture(gaps, y));
      y += breakHeight;
      above = edgeAt(y, { seed: `break${layer.month}`, swing: 1 });
    }
  }
  const height = Math.ceil(y + 3);
  return html`<svg
    class="strata"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="group"
    aria-label="${topic.topic}"
  >
    ${parts}
  </svg>`;
}

/** The newest layer means up to now. */
function hrefTime(layer: Layer, index: number): string | undefined {
  return index === 0 || layer.kind === 'unsaved' ? undefined : endOfMonth(layer.month);
}

interface Edge {
  readonly y: readonly [number, number, number, number];
}

/** The same month has the same line in every column, as it has in the ground. */
function edgeAt(y: number, { seed, swing }: { seed: string; swing: number }): Edge {
  let hash = 7;
  for (const character of seed) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  const at = (step: number): number => y + (((hash * (step + 3) * 7) % 17) / 8 - 1) * swing;
  return { y: [at(0), at(1), at(2), at(3)] };
}

function layerPicture(
  layer: Layer,
  o: { above: Edge; below: Edge; y: number; height: number; isPicked: boolean; href: string },
): Html {
  const [a0, a1, a2, a3] = o.above.y.map(short);
  const [b0, b1, b2, b3] = o.below.y.map(short);
  const line = `M0 ${a0}C33 ${a1} 66 ${a2} ${width} ${a3}V${b3}C66 ${b2} 33 ${b1} 0 ${b0}Z`;
  const tone = `m${Number(layer.month.slice(5, 7))}`;
  const words = `${layer.label}: ${bytesText(layer.bytes)}, ${kindText[layer.kind]}`;
  const name = o.height >= namedFrom && html`<text x="7" y="${short(o.y + 3.2)}">${layer.label}</text>`;
  return html`<a
    href="${o.href}"
    class="layer ${layer.kind} ${tone}${o.isPicked ? ' picked' : ''}"
    aria-label="${words}"
    data-month="${layer.month}"
    ><title>${words}</title
    ><path d="${line}" />${layer.kind !== 'sealed' && html`<path class="loose" d="${line}" />`}${name}</a
  >`;
}

const kindText: Record<Layer['kind'], string> = {
  unsaved: 'in no snapshot yet',
  open: 'in a snapshot, the month goes on',
  sealed: 'closed and sealed',
};

/** Below the layer of the month in which they were met; of one that is not drawn, below the nearest newer one. */
function breaksOf(gaps: readonly GapDocument[], layers: readonly Layer[]): Map<number, GapDocument[]> {
  return Map.groupBy(gaps, ({ at }) => {
    const month = at.slice(0, 7);
    const older = layers.findIndex((layer) => layer.month < month);
    return older <= 0 ? (older === 0 ? 0 : layers.length - 1) : older - 1;
  });
}

function breakPicture(gaps: readonly GapDocument[], y: number): Html {
  const [first] = gaps;
  const more = gaps.length > 1 ? `, and ${gaps.length - 1} more` : '';
  const words =
    first === undefined
      ? ''
      : `a gap: partition ${first.partition}, offsets ${first.from} to ${String(BigInt(first.to) - 1n)} were never saved, met ${first.at.slice(0, 10)}${more}`;
  return html`<g class="break" role="img" aria-label="${words}"
    ><title>${words}</title><path d="M${jagged(y + 1.5)}" /><path d="M${jagged(y + breakHeight - 1.5)}"
  /></g>`;
}

function jagged(at: number): string {
  return Array.from(
    { length: 11 },
    (_, index) => `${index * 10} ${short(at + (index % 2 === 0 ? 2.6 : -2.6))}`,
  ).join('L');
}

function short(value: number): number {
  return Math.round(value * 10) / 10;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
