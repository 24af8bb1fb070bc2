// Roles and bindings by whom they are for, so that a request costs only its own user's rules.

import { quote } from '#api/go-text.ts'
import type { ClusterRoleBinding, RoleBinding, Subject } from '#api/rbac.ts'
import type { Rule } from '#apiserver/rbac/rule.ts'
import type { User } from '#apiserver/kind.ts'

type Binding = Pick<RoleBinding & ClusterRoleBinding, 'metadata' | 'roleRef' | 'subjects'>

/** What one binding gives to a user. */
export type Grant = {
  /** undefined: the role is not there */
  readonly rules: readonly Rule[] | undefined
  /** `ClusterRoleBinding "x" of ClusterRole "y" to User "z"`, or what is missing */
  readonly source: string
}

export class RoleIndex {
  readonly #roles = new Map<string, readonly Rule[]>()
  readonly #bindings = new Map<string, Binding>()
  /** `namespace` + subject -> keys of bindings; '' for bindings of the whole cluster */
  readonly #bySubject = new Map<string, Set<string>>()

  /** `key` is `namespace/name`, or `name` of a cluster role. */
  setRole(key: string, rules: readonly Rule[] | undefined): void {
    if (rules === undefined) this.#roles.delete(key)
    else this.#roles.set(key, rules)
  }
  setBinding(key: string, binding: Binding | undefined): void {
    const before = this.#bindings.get(key)
    const namespace = namespaceOf(key)
    for (const place of placesOf(before, namespace)) this.#bySubject.get(place)?.delete(key)
    if (binding === undefined) this.#bindings.delete(key)
    else this.#bindings.set(key, binding)
    for (const place of placesOf(binding, namespace)) {
      const keys = this.#bySubject.get(place)
      if (keys === undefined) this.#bySubject.set(place, new Set([key]))
      else keys.add(key)
    }
  }

  /** `key` as for setRole. */
  rulesOfRole(key: string): readonly Rule[] | undefined {
    return this.#roles.get(key)
  }

  /** What the user is given in the namespace: by bindings of the whole cluster, then by those of the namespace. */
  *grants(user: User, namespace: string): Iterable<Grant> {
    const names = [`User ${user.name}`, ...user.groups.map((group) => `Group ${group}`)]
    for (const place of namespace === '' ? [''] : ['', namespace]) {
      const seen = new Set<string>()
      for (const name of names)
        for (const key of this.#bySubject.get(`${place} ${name}`) ?? [])
          if (!seen.has(key)) {
            seen.add(key)
            yield this.#grantOf(key, name)
          }
    }
  }

  #grantOf(key: string, who: string): Grant {
    const binding = this.#bindings.get(key)!
    const { kind = '', name = '' } = binding.roleRef
    const namespace = namespaceOf(key)
    const rules = this.#roles.get(kind === 'ClusterRole' ? name : `${namespace}/${name}`)
    if (rules === undefined)
      return { rules, source: `${kind.toLowerCase()}.rbac.authorization.k8s.io ${quote(name)} not found` }
    const subject = binding.subjects?.find((subject) => nameOf(subject, namespace) === who)
    const bindingName = binding.metadata?.name ?? ''
    const what =
      namespace === ''
        ? `ClusterRoleBinding ${quote(bindingName)}`
        : `RoleBinding ${quote(`${bindingName}/${namespace}`)}`
    return { rules, source: `${what} of ${kind} ${quote(name)} to ${describe(subject, namespace)}` }
  }
}

/** The part of a key before its slash; '' for an object of the whole cluster. */
const namespaceOf = (key: string) => key.slice(0, Math.max(0, key.indexOf('/')))

const placesOf = (binding: Binding | undefined, namespace: string) =>
  (binding?.subjects ?? []).map((subject) => `${namespace} ${nameOf(subject, namespace)}`)

/** A service account is the user of its name. */
function nameOf(subject: Subject, namespace: string): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind} ${subject.name}`
  return `User system:serviceaccount:${subject.namespace || namespace}:${subject.name}`
}

function describe(subject: Subject | undefined, namespace: string): string {
  if (subject === undefined) return ''
  const { kind, name } = subject
  if (kind !== 'ServiceAccount') return `${kind} ${quote(name)}`
  return `${kind} ${quote(`${name}/${subject.namespace || namespace}`)}`
}
