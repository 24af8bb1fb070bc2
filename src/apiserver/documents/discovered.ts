// The kinds of this server as discovery shows them.

import type { Discovered, DiscoveredSubresource } from '#api/discovery-document.ts'
import type { ServedResources } from '#apiserver/engine/served.ts'
import type { Target } from '#apiserver/http/target.ts'
import type { Kind, Verb } from '#apiserver/kind.ts'

const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const partVerbs = ['get', 'patch', 'update']
const proxyVerbs = ['create', 'delete', 'get', 'patch', 'update']

/** Whether a request is about a resource, or a subresource, that is served. */
export function isServed(all: ServedResources, target: Extract<Target, { kind: 'resource' }>): boolean {
  const { group, version, plural, subresource } = target
  const kind = all.find(group, version, plural)?.kind
  return kind !== undefined && (subresource === '' || hasSubresource(kind, subresource))
}

function hasSubresource({ status, scale, proxy, parts = {}, subresources = {} }: Kind, name: string): boolean {
  if (Object.hasOwn(parts, name) || Object.hasOwn(subresources, name)) return true
  const usual = { status, scale, proxy }
  return Object.hasOwn(usual, name) && usual[name as keyof typeof usual] !== undefined
}

export function discoveredOf(kind: Kind): Discovered {
  const { resource, singular, shortNames = [], categories = [], verbs = allVerbs, custom } = kind
  const { group, version, plural, namespaced } = resource
  return {
    group,
    version,
    plural,
    kind: resource.kind,
    namespaced,
    singular,
    shortNames,
    categories,
    verbs,
    subresources: subresourcesOf(kind).sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(custom === undefined ? {} : { custom }),
  }
}

function subresourcesOf({
  resource,
  status,
  scale,
  proxy,
  parts = {},
  subresources = {},
}: Kind): DiscoveredSubresource[] {
  const { group, version, kind } = resource
  const own = Object.entries(subresources).map(([name, subresource]) => ({
    name,
    ...(subresource.kind ?? { group, version, kind }),
    verbs: subresource.verbs,
  }))
  const written = Object.entries(parts).map(([name, { verbs }]) => ({ name, group, version, kind, verbs }))
  return [
    ...(status === undefined ? [] : [{ name: 'status', group, version, kind, verbs: partVerbs }]),
    ...(scale === undefined
      ? []
      : [{ name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: partVerbs }]),
    ...(proxy === undefined ? [] : [{ name: 'proxy', group, version, kind: `${kind}ProxyOptions`, verbs: proxyVerbs }]),
    ...written,
    ...own,
  ]
}
