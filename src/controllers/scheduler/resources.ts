// What pods ask for and what nodes have, as numbers.

import type { Container, Pod } from '#api/core.ts'
import { parseQuantity, quantityMilliValue, quantityValue } from '#api/quantity.ts'

/** Amounts by resource: CPU in thousandths, all else in units. */
export type Amounts = ReadonlyMap<string, number>

type Texts = Readonly<Record<string, string>>

const numbers = new Map<string, number>()

/** The number of a quantity; what is no quantity is nothing. Few different texts occur, so they are remembered. */
export function amountOf(resource: string, text: string): number {
  const key = resource === 'cpu' ? `m${text}` : text
  let number = numbers.get(key)
  if (number === undefined) {
    const quantity = parseQuantity(text)
    number = quantity.kind === 'error' ? 0 : (resource === 'cpu' ? quantityMilliValue : quantityValue)(quantity.value)
    if (numbers.size > 10_000) numbers.clear()
    numbers.set(key, number)
  }
  return number
}

export function amountsOf(texts: Texts | undefined): Map<string, number> {
  return new Map(Object.entries(texts ?? {}).map(([name, text]) => [name, amountOf(name, text)]))
}

/**
 * What a pod needs at one time: its containers and sidecars together, or an init container beside the sidecars that
 * were started before it, whichever is more; then its overhead. Requests of the pod itself go before its containers'.
 */
export function requestsOf({ spec }: Pod): Amounts {
  const sum = new Map<string, number>()
  const most = new Map<string, number>()
  for (const container of spec?.initContainers ?? []) {
    const its = requestsOfContainer(container)
    if (container.restartPolicy === 'Always') add(sum, its)
    else raise(most, plus(sum, its))
  }
  for (const container of spec?.containers ?? []) add(sum, requestsOfContainer(container))
  raise(sum, most)
  for (const [name, amount] of amountsOf(spec?.resources?.requests)) sum.set(name, amount)
  add(sum, amountsOf(spec?.overhead))
  return sum
}

/** Where only a limit is given, that is the request. */
function requestsOfContainer({ resources }: Container): Amounts {
  return amountsOf({ ...resources?.limits, ...resources?.requests })
}

function plus(a: Amounts, b: Amounts): Map<string, number> {
  const sum = new Map(a)
  add(sum, b)
  return sum
}

export function add(sum: Map<string, number>, more: Amounts): void {
  for (const [name, amount] of more) sum.set(name, (sum.get(name) ?? 0) + amount)
}

function raise(most: Map<string, number>, other: Amounts): void {
  for (const [name, amount] of other) most.set(name, Math.max(most.get(name) ?? 0, amount))
}

/** For comparing nodes, a container that asks for nothing counts as 0.1 CPU and 200 MiB: it will use something. */
export function weightOf(pod: Pod): { readonly cpu: number; readonly memory: number } {
  let cpu = 0
  let memory = 0
  for (const container of pod.spec?.containers ?? []) {
    const its = requestsOfContainer(container)
    cpu += its.get('cpu') ?? 100
    memory += its.get('memory') ?? 200 * 1024 * 1024
  }
  return { cpu, memory }
}

/** `IP/PROTOCOL/PORT` of each port of the host that a pod takes; IP 0.0.0.0 is all of them. */
export function hostPortsOf({ spec }: Pod): readonly string[] {
  const sidecars = spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? []
  return [...(spec?.containers ?? []), ...sidecars]
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ hostPort, hostIP, protocol = 'TCP' }) =>
      hostPort ? [`${hostIP || '0.0.0.0'}/${protocol}/${hostPort}`] : [],
    )
}

export function portsCollide(a: string, b: string): boolean {
  const [ipA, ...restA] = a.split('/')
  const [ipB, ...restB] = b.split('/')
  return restA.join('/') === restB.join('/') && (ipA === ipB || ipA === '0.0.0.0' || ipB === '0.0.0.0')
}
