// effect: SQLite file
// The file of a store: opened, laid out and checked, and SQLite's errors as ours.

import { DatabaseSync } from 'node:sqlite'
import { StoreError, type StoreErrorCode } from '#apiserver/store/store.ts'

/** 'fway': marks our files among SQLite's. */
const applicationId = 0x66776179
const formatVersion = 1

// One row per write. `previous` is the revision that it superseded (0: none), so that a compaction looks at the writes
// since the last one only. A row with no value is a delete.
const layout = `
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    previous INTEGER NOT NULL,
    value TEXT,
    expires INTEGER
  ) STRICT;
  CREATE INDEX log_key ON log (key, revision);
  CREATE INDEX log_expires ON log (expires) WHERE expires IS NOT NULL;
  CREATE TABLE compaction (revision INTEGER NOT NULL) STRICT;
  INSERT INTO compaction VALUES (0);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`

/** Opens or makes the file. One process at a time has it. Throws StoreError. */
export function openSqliteFile(path: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    // Exclusive: a second server on the same file would break the one-writer rule, and is refused instead.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    const numberOf = (pragma: string) => Number(Object.values(database!.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])
    const isNew = numberOf('schema_version') === 0
    if (isNew) database.exec('PRAGMA page_size = 8192')
    else if (numberOf('application_id') !== applicationId)
      throw new StoreError('corrupt', `${path} is an SQLite file, but not a store of this program`)
    else if (numberOf('user_version') !== formatVersion)
      throw new StoreError('corrupt', `${path} has store format ${numberOf('user_version')}, not ${formatVersion}`)
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192')
    if (isNew) database.exec(`BEGIN IMMEDIATE; ${layout} COMMIT`)
    else database.exec('BEGIN IMMEDIATE; COMMIT')
    return database
  } catch (error) {
    try {
      database?.close()
    } catch {}
    throw storeErrorOf(error, path)
  }
}

const codes: Readonly<Record<number, readonly [StoreErrorCode, string]>> = {
  5: ['locked', 'another process has the store open: stop it, or choose another file'],
  8: ['unreadable', 'the store cannot be written: check who owns it and whether its file system is read-only'],
  10: ['failed', 'the disk failed to read or write the store'],
  11: ['corrupt', 'the store is damaged: restore it from a backup, or remove it to start with an empty cluster'],
  13: ['full', 'the disk is full: free some space'],
  14: ['unreadable', 'the store cannot be opened: check that its folder exists and may be written'],
  26: ['corrupt', 'the file is no store: choose another file, or remove it to start with an empty cluster'],
}

/** What SQLite throws, as a StoreError that names the remedy. */
export function storeErrorOf(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error
  const number = (error as { errcode?: number }).errcode ?? 0
  const [code, text] = codes[number & 0xff] ?? ['failed', (error as Error).message]
  return new StoreError(code, `${path}: ${text}`, { cause: error })
}
