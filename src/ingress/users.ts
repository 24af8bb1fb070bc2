// Who may come in, from a Secret with a file as htpasswd writes it.

import type { User } from '#ingress/annotations/settings.ts'

/** Those who can, and what is to be said about others: each text goes on after the Secret's name. */
export type ReadUsers = { readonly users: readonly User[]; readonly problems: readonly string[] }

/** Of bcrypt: 2^8 rounds take 12 ms, in which nothing else is served. */
const mostRounds = 8

/** `text` has lines of `NAME:HASH`; undefined where the Secret has none. */
export function readUsers(text: string | undefined): ReadUsers {
  if (text === undefined) return { users: [], problems: ['has no key auth: nobody may come in'] }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const users: User[] = []
  const problems: string[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const user = { name: line.slice(0, Math.max(0, colon)).trim(), hash: line.slice(colon + 1).trim() }
    const wrong = colon < 1 ? 'has a line that is no NAME:HASH' : wrongWith(user)
    if (wrong === undefined) users.push(user)
    else problems.push(wrong)
  }
  if (users.length === 0) problems.push('names nobody who may come in: write it by htpasswd -B')
  return { users, problems }
}

const forms = /^(\$(1\$|5\$|6\$|2[aby]\$\d\d\$)[!-~]+|\$apr1\$[!-~]{1,8}\$[./0-9A-Za-z]{22}|\{SHA\}[A-Za-z0-9+/]{27}=)$/

function wrongWith({ name, hash }: User): string | undefined {
  if (!/^[!-~]+$/.test(name)) return `has a name of a user with blanks: ${JSON.stringify(name)}`
  const remedy = `write it by htpasswd -B`
  if (!forms.test(hash)) return `has a password of ${name} in a form that is not known: ${remedy}`
  const rounds = Number(/^\$2[aby]\$(\d\d)/.exec(hash)?.[1] ?? 0)
  if (rounds > mostRounds) return `has a password of ${name} that takes too long to compare (cost ${rounds}): ${remedy}`
  return undefined
}
