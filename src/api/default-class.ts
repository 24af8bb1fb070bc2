// Classes of which one is the default: storage classes and ingress classes.

import type { ApiObject } from '#api/meta.ts'

const marks = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
  'ingressclass.kubernetes.io/is-default-class',
]

export function isDefaultClass({ metadata }: ApiObject): boolean {
  return marks.some((mark) => metadata?.annotations?.[mark] === 'true')
}

/** The youngest object; of equally young ones the first by name. */
export function newestOf<T extends ApiObject>(objects: readonly T[]): T | undefined {
  const age = ({ metadata }: T) => metadata?.creationTimestamp ?? ''
  const name = ({ metadata }: T) => metadata?.name ?? ''
  return [...objects].sort((a, b) => (age(a) === age(b) ? (name(a) < name(b) ? -1 : 1) : age(a) < age(b) ? 1 : -1))[0]
}
