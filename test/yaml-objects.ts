// API objects out of a YAML file, for tests.
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import type { Node, Service } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { ApiObject } from '#api/meta.ts'

export type Objects = {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  readonly nodes: readonly Node[]
}

export function readObjects(path: string): Objects {
  const all = parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS() as ApiObject)
  const ofKind = <T>(kind: string) => all.filter((object) => object?.kind === kind) as T[]
  return { services: ofKind('Service'), slices: ofKind('EndpointSlice'), nodes: ofKind('Node') }
}

/** What an API server answers to the selectors that Service proxies list with. */
export function visibleToProxy({ services, slices, nodes }: Objects): Objects {
  const without = (label: string) => (object: ApiObject) => object.metadata?.labels?.[label] === undefined
  return {
    services: services
      .filter(without('service.kubernetes.io/service-proxy-name'))
      .filter(({ spec }) => spec?.clusterIP !== 'None'),
    slices: slices.filter(without('service.kubernetes.io/headless')),
    nodes,
  }
}
