// Random roles, bindings, users and requests against a model of RBAC that knows nothing but its rule: a request is allowed
// when some binding of the user's gives a role with a rule that has the verb, the group, the resource and the name.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PolicyRule, Subject } from '#api/rbac.ts'
import type { Attributes } from '#apiserver/auth/attributes.ts'
import { rbacAuthorizer } from '#apiserver/rbac/authorizer.ts'
import { RoleIndex } from '#apiserver/rbac/role-index.ts'
import { uncovered } from '#apiserver/rbac/rule.ts'
import { type Random, seeded } from '#test/random.ts'

const verbs = ['get', 'list', 'create', 'impersonate']
const groups = ['', 'apps']
const resources = ['pods', 'pods/log', 'deployments', 'deployments/scale']
const names = ['a', 'b']
const namespaces = ['', 'one', 'two']
const people: readonly Subject[] = [
  { kind: 'User', name: 'ann' },
  { kind: 'Group', name: 'dev' },
  { kind: 'ServiceAccount', name: 'robot', namespace: 'one' },
  { kind: 'ServiceAccount', name: 'robot' },
]
const users = [
  { name: 'ann', groups: ['ops'] },
  { name: 'bob', groups: ['dev'] },
  { name: 'system:serviceaccount:one:robot', groups: [] },
  { name: 'system:serviceaccount:two:robot', groups: [] },
]

type Bound = { readonly namespace: string; readonly role: string; readonly subjects: readonly Subject[] }
type World = { readonly roles: ReadonlyMap<string, readonly PolicyRule[]>; readonly bindings: readonly Bound[] }

const some = <T>(random: Random, from: readonly T[]): T[] => {
  const picked = from.filter(() => random.next() < 0.4)
  return picked.length > 0 ? picked : [random.pick(from)]
}
const orStar = (random: Random, from: readonly string[]) => (random.next() < 0.15 ? ['*'] : some(random, from))

const randomRule = (random: Random): PolicyRule =>
  random.next() < 0.15
    ? { verbs: some(random, verbs), nonResourceURLs: some(random, ['/metrics', '/healthz/*', '*']) }
    : {
        verbs: orStar(random, verbs),
        apiGroups: orStar(random, groups),
        resources: orStar(random, [...resources, '*/scale']),
        ...(random.next() < 0.3 ? { resourceNames: some(random, names) } : {}),
      }

function randomWorld(random: Random): World {
  const keys = ['x', 'y', 'one/x', 'two/x']
  const roles = new Map(keys.map((key) => [key, [randomRule(random), randomRule(random)]] as const))
  const bindings = Array.from({ length: 4 }, () => {
    const namespace = random.pick(namespaces)
    const role = random.pick(namespace === '' ? ['x', 'y', 'gone'] : ['x', 'y', `${namespace}/x`, `${namespace}/gone`])
    return { namespace, role, subjects: some(random, people) }
  })
  return { roles, bindings }
}

function indexOf({ roles, bindings }: World): RoleIndex {
  const index = new RoleIndex()
  for (const [key, rules] of roles) index.setRole(key, rules)
  for (const [at, { namespace, role, subjects }] of bindings.entries()) {
    const name = `b${at}`
    const kind = role.includes('/') ? 'Role' : 'ClusterRole'
    index.setBinding(namespace === '' ? name : `${namespace}/${name}`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role.split('/').at(-1)! },
      subjects,
    })
  }
  return index
}

/** The model: every sentence of the definition as one line. */
function modelAllows({ roles, bindings }: World, request: Attributes): boolean {
  const isMe = (subject: Subject, namespace: string) => {
    if (subject.kind === 'Group') return request.user.groups.includes(subject.name)
    const full = `system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`
    return request.user.name === (subject.kind === 'User' ? subject.name : full)
  }
  const at = request.kind === 'resource' ? request.namespace : ''
  return bindings
    .filter(({ namespace }) => namespace === '' || namespace === at)
    .filter(({ namespace, subjects }) => subjects.some((subject) => isMe(subject, namespace)))
    .flatMap(({ role }) => roles.get(role) ?? [])
    .some((rule) => {
      const among = (list: readonly string[] | undefined, ...values: string[]) =>
        ['*', ...values].some((value) => list?.includes(value))
      if (!among(rule.verbs, request.verb)) return false
      if (request.kind === 'path')
        return (rule.nonResourceURLs ?? []).some((url) =>
          url.at(-1) === '*' ? request.path.indexOf(url.slice(0, -1)) === 0 : url === request.path,
        )
      const { group, resource, subresource, name } = request
      const wanted = subresource ? [`${resource}/${subresource}`, `*/${subresource}`] : [resource]
      const isNamed = rule.resourceNames === undefined || rule.resourceNames.includes(name)
      return among(rule.apiGroups, group) && among(rule.resources, ...wanted) && isNamed
    })
}

function* requests(): Iterable<Attributes> {
  for (const user of users)
    for (const verb of verbs) {
      for (const path of ['/metrics', '/healthz', '/healthz/ping']) yield { kind: 'path', user, verb, path }
      for (const group of groups)
        for (const [resource = '', subresource = ''] of resources.map((text) => text.split('/')))
          for (const namespace of namespaces)
            for (const name of ['', 'a', 'c'])
              yield {
                kind: 'resource',
                user,
                verb,
                group,
                version: 'v1',
                resource,
                subresource,
                namespace,
                name,
                fields: [],
              }
    }
}

test('identity x verb x resource, as the model says', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed)
    const world = randomWorld(random)
    const authorizer = rbacAuthorizer(indexOf(world))
    for (const request of requests())
      assert.equal(
        authorizer.decide(request).allowed,
        modelAllows(world, request),
        `seed ${seed}: ${JSON.stringify(request)} in ${JSON.stringify([...world.roles, world.bindings])}`,
      )
  }
})

test('what others give is covered exactly when every request of it is allowed', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed)
    const owned = [randomRule(random), randomRule(random), randomRule(random)]
    const wanted = [randomRule(random)]
    const everywhere = [{ namespace: '', role: 'r', subjects: [{ kind: 'Group', name: 'dev' }] }]
    const world = (rules: readonly PolicyRule[]): World => ({ roles: new Map([['r', rules]]), bindings: everywhere })
    const missing = uncovered(owned, wanted)
    // One that is covered gives nothing new; one that is not may still give nothing that exists here.
    if (missing.length > 0) continue
    for (const request of requests())
      if (modelAllows(world(wanted), request))
        assert.ok(modelAllows(world(owned), request), `seed ${seed}: ${JSON.stringify([owned, wanted, request])}`)
  }
})

test('a binding that is changed or taken away gives nothing more', () => {
  const random = seeded(7)
  const index = new RoleIndex()
  let world: World = { roles: new Map(), bindings: [] }
  for (let step = 0; step < 30; step++) {
    world = randomWorld(random)
    for (const [key, rules] of world.roles) index.setRole(key, rules)
    for (const place of ['b0', 'one/b0', 'two/b0']) index.setBinding(place, undefined)
    const bound = world.bindings[0]!
    index.setBinding(bound.namespace === '' ? 'b0' : `${bound.namespace}/b0`, {
      metadata: { name: 'b0' },
      roleRef: {
        apiGroup: '',
        kind: bound.role.includes('/') ? 'Role' : 'ClusterRole',
        name: bound.role.split('/').at(-1)!,
      },
      subjects: bound.subjects,
    })
    const now = { ...world, bindings: [bound] }
    for (const request of requests())
      assert.equal(rbacAuthorizer(index).decide(request).allowed, modelAllows(now, request), `step ${step}`)
  }
})
