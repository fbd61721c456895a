/**
 * Files that other programs wrote, read as a backup: what comes out of them goes the way of every restore.
 *
 * It promises: every line of a file is a record or is counted as left out, and the same files give the same batches,
 * however often they are read. It never changes a file, and never takes a value for more than bytes but where it is
 * asked for the time in it.
 */
export { readSinkFiles, type SinkCounts, type SinkFile, type SinkRequest } from './sink-files.ts';
export { SinkBackup } from './sink-backup.ts';
