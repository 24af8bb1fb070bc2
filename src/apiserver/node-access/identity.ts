// Who is a node: `system:node:NAME` in the group system:nodes (pkg/auth/nodeidentifier).

import type { User } from '#apiserver/kind.ts'

/** The node's name; '' where it is a node without one, undefined where it is none. */
export function nodeOf({ name, groups }: User): string | undefined {
  if (!name.startsWith('system:node:') || !groups.includes('system:nodes')) return undefined
  return name.slice('system:node:'.length)
}
