/**
 * Files for other programs, and files that other programs wrote, read as a backup: what comes out of them goes the way
 * of every restore.
 *
 * It promises: every line of a file is a record or is counted as left out, and the same files give the same batches,
 * however often they are read; an export is there whole or not at all, and one that is read was checked to its last
 * record first, whoever wrote it. It never changes a file that is there, and never takes a value for more than bytes
 * but where it is asked for the time in it.
 */
export { ExportBackup } from './export-backup.ts';
export { glanceAtExport, readExport } from './export-check.ts';
export type { ExportFile } from './export-file.ts';
export type { Excerpt, ExportedTopic } from './export-layout.ts';
export { writeExport, type Exported, type ExportSource } from './export-writer.ts';
export { assertFresh, FreshFile } from './fresh-file.ts';
export {
  findSinkFiles,
  readSinkFiles,
  type SinkCounts,
  type SinkFile,
  type SinkRequest,
} from './sink-files.ts';
export { SinkBackup } from './sink-backup.ts';
