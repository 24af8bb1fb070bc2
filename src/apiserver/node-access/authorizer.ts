// What nodes may do: what every node's agent needs, and of what pods are made from only what its own pods name
// (plugin/pkg/auth/authorizer/node).

import { exactField } from '#api/field-selector.ts'
import type { Attributes, Decision } from '#apiserver/auth/attributes.ts'
import type { Authorizer } from '#apiserver/auth/authorizer.ts'
import type { NodeGraph, Vertex } from '#apiserver/node-access/node-graph.ts'
import { nodeOf } from '#apiserver/node-access/identity.ts'
import { allows, type Rule } from '#apiserver/rbac/rule.ts'

type Request = Extract<Attributes, { kind: 'resource' }>

const yes: Decision = { allowed: true, reason: '' }
const no = (reason: string): Decision => ({ allowed: false, reason })

/** `rules`: of the role `system:node`, for what is not told apart by node. */
export function nodeAuthorizer(graph: NodeGraph, rules: readonly Rule[]): Authorizer {
  return {
    decide(attributes) {
      const node = nodeOf(attributes.user)
      if (node === undefined) return no('')
      if (node === '') return no(`unknown node for user ${JSON.stringify(attributes.user.name)}`)
      const special = attributes.kind === 'resource' ? decideResource(graph, node, attributes) : undefined
      return special ?? (rules.some((rule) => allows(rule, attributes)) ? yes : no(''))
    },
    rulesOf: (user) => ({
      rules: [],
      problem: nodeOf(user) === undefined ? '' : 'node authorizer does not support user rule resolution',
    }),
  }
}

/** Undefined: like any other request, by the rules. */
function decideResource(graph: NodeGraph, node: string, request: Request): Decision | undefined {
  const { group, resource, subresource } = request
  switch (group === '' ? resource : `${resource}.${group}`) {
    case 'secrets':
      return read(graph, node, 'secret', request)
    case 'configmaps':
      return read(graph, node, 'configmap', request)
    case 'persistentvolumeclaims':
      return subresource === 'status' ? updateStatus(graph, node, request) : get(graph, node, 'claim', request)
    case 'persistentvolumes':
      return get(graph, node, 'volume', request)
    case 'volumeattachments.storage.k8s.io':
      return get(graph, node, 'attachment', request)
    case 'serviceaccounts':
      return request.verb === 'get' && subresource === ''
        ? read(graph, node, 'account', request)
        : createToken(graph, node, request)
    case 'leases.coordination.k8s.io':
      return lease(node, request)
    case 'csinodes.storage.k8s.io':
      return csiNode(node, request)
    case 'nodes':
      return nodeItself(node, request)
    case 'pods':
      return pod(graph, node, request)
    default:
      return undefined
  }
}

function related(graph: NodeGraph, node: string, vertex: Vertex, { namespace, name }: Request): Decision {
  if (name === '') return no('No Object name found')
  const key = namespace === '' ? name : `${namespace}/${name}`
  return graph.reaches(node, vertex, key) ? yes : no(`no relationship found between node '${node}' and this object`)
}

function get(graph: NodeGraph, node: string, vertex: Vertex, request: Request): Decision {
  if (request.verb !== 'get') return no('can only get individual resources of this type')
  if (request.subresource !== '') return no('cannot get subresource')
  return related(graph, node, vertex, request)
}

function read(graph: NodeGraph, node: string, vertex: Vertex, request: Request): Decision {
  if (!['get', 'list', 'watch'].includes(request.verb)) return no('can only read resources of this type')
  if (request.subresource !== '') return no('cannot read subresource')
  if (request.namespace === '') return no('can only read namespaced object of this type')
  return related(graph, node, vertex, request)
}

function updateStatus(graph: NodeGraph, node: string, request: Request): Decision {
  if (!['update', 'patch'].includes(request.verb)) return no('can only get/update/patch this type')
  return related(graph, node, 'claim', request)
}

function createToken(graph: NodeGraph, node: string, request: Request): Decision {
  if (request.verb !== 'create' || request.name === '')
    return no('can only create tokens for individual service accounts')
  if (request.subresource !== 'token') return no('can only create token subresource of serviceaccount')
  return related(graph, node, 'account', request)
}

const ownVerbs = ['get', 'create', 'update', 'patch', 'delete']

function lease(node: string, { verb, namespace, name }: Request): Decision {
  if (!ownVerbs.includes(verb)) return no('can only get, create, update, patch, or delete a node lease')
  if (namespace !== 'kube-node-lease') return no('can only access leases in the "kube-node-lease" system namespace')
  // Nobody knows the name before a create is read: the restriction looks at it then.
  if (verb === 'create' || name === node) return yes
  return no('can only access node lease with the same name as the requesting node')
}

function csiNode(node: string, { verb, subresource, name }: Request): Decision {
  if (!ownVerbs.includes(verb)) return no('can only get, create, update, patch, or delete a CSINode')
  if (subresource !== '') return no('cannot authorize CSINode subresources')
  if (verb === 'create' || name === node) return yes
  return no('can only access CSINode with the same name as the requesting node')
}

function nodeItself(node: string, { verb, subresource, name }: Request): Decision {
  if (subresource === 'status') return ['update', 'patch'].includes(verb) ? yes : no('')
  if (subresource !== '') return no('')
  if (['create', 'update', 'patch'].includes(verb)) return yes
  // Upstream leaves it to an administrator; here a node that leaves takes itself out, and no other.
  if (verb === 'delete' && name === node) return yes
  if (!['get', 'list', 'watch'].includes(verb)) return no('')
  if (name === node) return yes
  const other = name === '' ? 'all nodes' : `'${name}'`
  return no(`node '${node}' cannot read ${other}, only its own Node object`)
}

function pod(graph: NodeGraph, node: string, request: Request): Decision {
  const { verb, subresource, fields, name } = request
  if (subresource === 'status') return ['update', 'patch'].includes(verb) ? yes : no('')
  if (subresource === 'eviction') return verb === 'create' ? yes : no('')
  if (subresource !== '') return no('')
  switch (verb) {
    case 'get':
      return get(graph, node, 'pod', request)
    case 'list':
    case 'watch':
      if (exactField(fields, 'spec.nodeName') === node) return yes
      if (name !== '') return related(graph, node, 'pod', request)
      return no('can only list/watch pods with spec.nodeName field selector')
    case 'create':
    case 'delete':
      return yes
    default:
      return no('')
  }
}
