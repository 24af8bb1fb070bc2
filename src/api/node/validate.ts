// What a Node may say (Kubernetes' pkg/apis/core/validation).

import { checkCidr } from '#api/address.ts'
import type { Node, Taint } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import { checkLabelKey } from '#api/labels.ts'
import { labelValue } from '#api/names.ts'
import { compareQuantity, parseQuantity } from '#api/quantity.ts'

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export function validateNode(node: Node, old: Node | undefined): FieldError[] {
  return [
    // Upstream reports taints below metadata.
    ...checkTaints(node.spec?.taints ?? [], 'metadata.taints'),
    ...checkResources(node),
    ...checkPodCidrs(node.spec?.podCIDRs ?? []),
    ...(old === undefined ? [] : checkChange(node, old)),
  ]
}

export function validateNodeStatus(node: Node): FieldError[] {
  const seen = new Set<string>()
  const errors = checkResources(node)
  for (const [at, address] of (node.status?.addresses ?? []).entries()) {
    const key = `${address.type} ${address.address}`
    if (seen.has(key))
      errors.push(duplicate(`status.addresses[${at}]`, { Type: address.type, Address: address.address }))
    seen.add(key)
  }
  return errors
}

export function checkTaints(taints: readonly Taint[], path: string): FieldError[] {
  const seen = new Set<string>()
  return taints.flatMap((taint, at) => {
    const place = `${path}[${at}]`
    const errors = checkLabelKey(`${place}.key`, taint.key)
    const wrong = labelValue(taint.value ?? '')
    if (wrong.length > 0) errors.push(invalid(`${place}.value`, taint.value, wrong.join(';')))
    if (!taint.effect) errors.push(required(`${place}.effect`))
    else if (!taintEffects.includes(taint.effect))
      errors.push(notSupported(`${place}.effect`, taint.effect, taintEffects))
    const pair = `${taint.key} ${taint.effect}`
    if (seen.has(pair)) {
      const shown = {
        Key: taint.key,
        Value: taint.value ?? '',
        Effect: taint.effect,
        TimeAdded: taint.timeAdded ?? null,
      }
      errors.push({ ...duplicate(place, shown), detail: 'taints must be unique by key and effect pair' })
    }
    seen.add(pair)
    return errors
  })
}

function checkResources(node: Node): FieldError[] {
  return (['capacity', 'allocatable'] as const).flatMap((list) =>
    Object.entries(node.status?.[list] ?? {}).flatMap(([name, quantity]) => {
      const parsed = parseQuantity(quantity)
      const isNegative = parsed.kind === 'ok' && zero.kind === 'ok' && compareQuantity(parsed.value, zero.value) < 0
      return isNegative ? [invalid(`status.${list}.${name}`, quantity, 'must be greater than or equal to 0')] : []
    }),
  )
}
const zero = parseQuantity('0')

function checkPodCidrs(cidrs: readonly string[]): FieldError[] {
  const errors = cidrs.flatMap((cidr, at) => checkCidr(`spec.podCIDRs[${at}]`, cidr, undefined))
  const families = new Set(cidrs.map((cidr) => cidr.includes(':')))
  if (cidrs.length > families.size)
    errors.push(invalid('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family'))
  return errors
}

function checkChange(node: Node, old: Node): FieldError[] {
  const errors: FieldError[] = []
  const once = (what: string) => `node updates may not change ${what} except from "" to valid`
  const before = old.spec?.podCIDRs ?? []
  if (before.length > 0 && before.join() !== (node.spec?.podCIDRs ?? []).join())
    errors.push(forbidden('spec.podCIDRs', once('podCIDR')))
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID)
    errors.push(forbidden('spec.providerID', once('providerID')))
  return errors
}
