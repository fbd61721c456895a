/**
 * What the daemon knows, as documents for programs and as the page for people.
 *
 * It promises: the page and the documents tell the same; whatever comes from outside (names, errors, the address that
 * was asked for) is escaped where it is put in; the same facts give the same text. It loads nothing from anywhere and
 * works without scripts. It is pure: it asks nobody, and knows no clock.
 */
export { askedOf, type Asked } from './choice.ts';
export { documentsOf, type Documents } from './documents.ts';
export type { CycleNote, PageFacts, RepositoryFacts, UnsavedBytes } from './facts.ts';
export { jsonText } from './json.ts';
export { contentSecurityPolicy, pageText } from './view.ts';
