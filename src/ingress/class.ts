// Which Ingresses are this controller's.

import type { Ingress, IngressClass } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'

/** What IngressClasses name as their controller. */
export const controllerName = 'fairway/ingress'
export const classAnnotation = 'kubernetes.io/ingress.class'
const defaultAnnotation = 'ingressclass.kubernetes.io/is-default-class'

/** Whether an Ingress is ours: `classes` are all IngressClasses. */
export function ownership(classes: Iterable<Stored<IngressClass>>): (ingress: Stored<Ingress>) => boolean {
  const own = new Set<string>()
  let isDefault = false
  for (const { metadata, spec } of classes) {
    if (spec.controller !== controllerName) continue
    own.add(metadata.name)
    isDefault ||= metadata.annotations?.[defaultAnnotation] === 'true'
  }
  return ({ spec, metadata }) => {
    const name = spec.ingressClassName ?? metadata.annotations?.[classAnnotation]
    return name === undefined ? isDefault : own.has(name)
  }
}
