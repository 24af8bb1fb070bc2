// What etcd refuses, as a StoreError that names the remedy.

import { StoreError, type StoreErrorCode } from '#apiserver/store/store.ts'

const texts: readonly (readonly [RegExp, StoreErrorCode, string])[] = [
  [/required revision has been compacted/, 'compacted', 'that revision is forgotten'],
  [/required revision is a future revision/, 'future', 'that revision is not there yet'],
  [
    /database space exceeded/,
    'full',
    "etcd's database is full: compact and defragment it, then disarm its NOSPACE alarm",
  ],
  [/corrupt/, 'corrupt', 'a member of etcd has corrupt data: replace it by a new one, or restore from a backup'],
  [
    /permission denied|user name is empty/,
    'unreadable',
    'etcd asks for a user: turn its authentication off, or use certificates',
  ],
]

export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { message } = error as Error
  const known = texts.find(([pattern]) => pattern.test(message))
  if (known === undefined) return new StoreError('failed', `etcd: ${message}`, { cause: error })
  return new StoreError(known[1], `etcd: ${known[2]} (${message})`, { cause: error })
}
