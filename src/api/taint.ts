// Taints of nodes and the tolerations by which pods put up with them.

import type { Taint, Toleration } from '#api/core.ts'

/** Whether one toleration covers one taint. An empty effect covers every effect; `Exists` without key, every taint. */
export function tolerates({ key = '', operator, value = '', effect = '' }: Toleration, taint: Taint): boolean {
  if (effect !== '' && effect !== taint.effect) return false
  if (key !== '' && key !== taint.key) return false
  switch (operator ?? 'Equal') {
    case 'Exists':
      return true
    case 'Equal':
    case '':
      return key !== '' && value === (taint.value ?? '')
    default:
      return false
  }
}

export function isTolerated(taint: Taint, tolerations: readonly Toleration[] | undefined): boolean {
  return (tolerations ?? []).some((toleration) => tolerates(toleration, taint))
}

/** Taints are told apart by key and effect. */
export function sameTaint(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect
}
