// The conflicts of an apply, in Kubernetes' words.

import { formatElements, type PathElement } from '#api/apply/path-element.ts'
import { keyOfManager, type Manager } from '#api/apply/managers.ts'
import { quote } from '#api/go-text.ts'
import type { Status } from '#api/meta.ts'
import { applyConflict } from '#api/status.ts'

/** `manager` owns the field, with another value. */
export type Conflict = { readonly manager: Manager; readonly path: readonly PathElement[] }

export function conflictStatus(conflicts: readonly Conflict[]): Status {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${formatManager(manager)}`,
    field: formatElements(path),
  }))
  return applyConflict(messageOf(conflicts), causes)
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (conflicts.length === 1 && first !== undefined)
    return `Apply failed with 1 conflict: conflict with ${formatManager(first.manager)}: ${formatElements(first.path)}`
  const lines = new Map<string, string[]>()
  for (const { manager, path } of conflicts) {
    const key = keyOfManager(manager)
    const list = lines.get(key) ?? [`conflicts with ${formatManager(manager)}:`]
    list.push(`- ${formatElements(path)}`)
    lines.set(key, list)
  }
  const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, list]) => list)
  return `Apply failed with ${conflicts.length} conflicts: ${sorted.join('\n')}`
}

function formatManager({ name, operation, apiVersion, subresource }: Manager): string {
  const shown = subresource === '' ? quote(name) : `${quote(name)} with subresource ${quote(subresource)}`
  return operation === 'Update' ? `${shown} using ${apiVersion}` : shown
}
