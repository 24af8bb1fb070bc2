// Namespaces. One that is deleted stays, Terminating, until the namespace controller has emptied it and taken the
// finalizer `kubernetes` out of its spec through the subresource `finalize`.

import type { Changed, Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { type Namespace, namespaces } from '#api/core.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { dns1123Label, qualifiedName } from '#api/names.ts'

const nameLabel = 'kubernetes.io/metadata.name'

export const namespaceKind: Kind<Namespace> = {
  resource: namespaces,
  type: 'core.Namespace',
  singular: 'namespace',
  shortNames: ['ns'],
  columns: [nameColumn, text('Status'), ageColumn],
  row: (namespace, nowMs) => [nameOf(namespace), namespace.status?.phase ?? '', age(namespace, nowMs)],
  name: (name) => dns1123Label(name)[0],
  default: (namespace) => withNameLabel({ ...namespace, status: { phase: 'Active', ...namespace.status } }),
  prepareCreate: (namespace) =>
    // The name may have been generated since the defaults were set.
    withNameLabel({
      ...namespace,
      spec: { finalizers: [...new Set([...(namespace.spec?.finalizers ?? []), 'kubernetes'])] },
      status: { phase: 'Active' },
    }),
  prepareUpdate: (namespace, old) => ({ ...namespace, spec: old.spec ?? {}, status: old.status ?? {} }),
  validate: (namespace) =>
    (namespace.spec?.finalizers ?? []).flatMap((name) => checkFinalizer(name, 'spec.finalizers')),
  status: { validate: checkPhase },
  fields: (namespace) => ({ 'status.phase': namespace.status?.phase ?? '', name: nameOf(namespace) }),
  isHeld: (namespace) => (namespace.spec?.finalizers?.length ?? 0) > 0,
  prepareDelete: (namespace) => ({ ...namespace, status: { ...namespace.status, phase: 'Terminating' } }),
  refuseDelete: (namespace) =>
    ['default', 'kube-system', 'kube-public'].includes(nameOf(namespace))
      ? 'this namespace may not be deleted'
      : undefined,
  answersDeleted: true,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  parts: { finalize: { verbs: ['update'], change: finalize } },
}

function withNameLabel(namespace: Namespace): Namespace {
  const name = nameOf(namespace)
  if (name === '' || namespace.metadata?.labels?.[nameLabel] === name) return namespace
  return {
    ...namespace,
    metadata: { ...namespace.metadata, labels: { ...namespace.metadata?.labels, [nameLabel]: name } },
  }
}

const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion']

function checkFinalizer(name: string, path: string): FieldError[] {
  const errors = qualifiedName(name).map((detail) => invalid(path, name, detail))
  if (!name.includes('/') && !standardFinalizers.includes(name))
    errors.push(invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified'))
  return errors
}

function checkPhase(namespace: Namespace): FieldError[] {
  const phase = namespace.status?.phase
  const isDeleted = namespace.metadata?.deletionTimestamp !== undefined
  const wanted = isDeleted ? 'Terminating' : 'Active'
  if (phase === wanted) return []
  const when = isDeleted ? 'is not empty' : 'is empty'
  return [invalid('status.Phase', phase ?? '', `may only be '${wanted}' if \`deletionTimestamp\` ${when}`)]
}

function finalize(sent: Namespace, old: Namespace): Changed<Namespace> {
  const finalizers = sent.spec?.finalizers ?? []
  const errors = finalizers.flatMap((name, at) => checkFinalizer(name, `spec.finalizers[${at}]`))
  if (errors.length > 0) return { kind: 'invalid', errors }
  return { kind: 'changed', object: { ...old, spec: { ...old.spec, finalizers } } }
}
