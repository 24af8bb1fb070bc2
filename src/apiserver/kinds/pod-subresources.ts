// What is done to one pod beside writing it: a scheduler binds it, a drain evicts it, people look into it.

import type { Changed, Kind, Subresource, SubresourceAnswer, SubresourceRequest } from '#apiserver/kind.ts'
import { changePod, done, withCondition } from '#apiserver/kinds/pod-change.ts'
import { evict } from '#apiserver/kinds/pod-eviction.ts'
import { attach, exec, log, portForward } from '#apiserver/kinds/pod-streams.ts'
import type { Binding, Pod } from '#api/core.ts'
import { type FieldError, formatFieldErrors, notSupported, required } from '#api/field-error.ts'
import { defaultPod } from '#api/pod/defaults.ts'
import { checkEphemeralChange } from '#api/pod/validate-ephemeral.ts'
import { validateStoredPod } from '#api/pod/validate.ts'
import { badRequest, conflict, failure, StatusError } from '#api/status.ts'

type Request = SubresourceRequest<Pod>
type Answer = Promise<SubresourceAnswer>

export const podSubresources: Readonly<Record<string, Subresource<Pod>>> = {
  attach: { verbs: ['create', 'get'], kind: options('PodAttachOptions'), handle: attach },
  binding: {
    verbs: ['create'],
    kind: { group: '', version: 'v1', kind: 'Binding', type: 'core.Binding' },
    handle: bind,
  },
  eviction: {
    verbs: ['create'],
    kind: { group: 'policy', version: 'v1', kind: 'Eviction', type: 'policy.Eviction' },
    handle: evict,
  },
  exec: { verbs: ['create', 'get'], kind: options('PodExecOptions'), handle: exec },
  log: { verbs: ['get'], handle: log },
  portforward: { verbs: ['create', 'get'], kind: options('PodPortForwardOptions'), handle: portForward },
}

/** Streams take their options from the URL; only discovery names their kind. */
function options(kind: string): NonNullable<Subresource['kind']> {
  return { group: '', version: 'v1', kind, type: 'meta.Status' }
}

const bindings = { group: '', plural: 'pods/binding' }

/** Gives a pod its node, once. */
async function bind({ body, context }: Request): Answer {
  const binding = body as Binding | undefined
  if (binding?.metadata?.name !== context.name)
    return { kind: 'status', status: badRequest('name in URL does not match name in Binding object') }
  const errors = checkBinding(binding)
  // Upstream has no better word for it.
  if (errors.length > 0) return { kind: 'status', status: failure(500, '', formatFieldErrors(errors)) }
  const { uid, annotations, labels } = binding.metadata
  const refuse = (why: string) => new StatusError(conflict(bindings, context.name, why))
  const change = (pod: Pod): Pod => {
    if (uid && uid !== pod.metadata?.uid)
      throw refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata?.uid}`)
    if (pod.metadata?.deletionTimestamp !== undefined)
      throw refuse(`pod ${context.name} is being deleted, cannot be assigned to a host`)
    if (pod.spec?.nodeName) throw refuse(`pod ${context.name} is already assigned to node "${pod.spec.nodeName}"`)
    if (pod.spec?.schedulingGates?.length) throw refuse(`pod ${context.name} has non-empty .spec.schedulingGates`)
    const { nominatedNodeName: _, ...status } = pod.status ?? {}
    return withCondition(
      {
        ...pod,
        metadata: {
          ...pod.metadata,
          ...(annotations ? { annotations: { ...pod.metadata?.annotations, ...annotations } } : {}),
          ...(labels ? { labels: { ...pod.metadata?.labels, ...labels } } : {}),
        },
        spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: binding.target.name ?? '' },
        status,
      },
      { type: 'PodScheduled', status: 'True' },
      context.nowMs,
    )
  }
  await changePod({ context }, change)
  return done
}

function checkBinding({ target }: Binding): FieldError[] {
  const errors: FieldError[] = []
  if (target.kind && target.kind !== 'Node') errors.push(notSupported('target.kind', target.kind, ['Node', '<empty>']))
  if (!target.name) errors.push(required('target.name'))
  return errors
}

export const podParts: NonNullable<Kind<Pod>['parts']> = {
  ephemeralcontainers: { verbs: ['get', 'patch', 'update'], change: addEphemeral },
}

/** `kubectl debug`: one more container in a pod that runs. */
function addEphemeral(sent: Pod, old: Pod): Changed<Pod> {
  const { ephemeralContainers } = defaultPod(sent).spec ?? {}
  const { ephemeralContainers: _, ...spec } = { ...old.spec, containers: old.spec?.containers ?? [] }
  const object: Pod = { ...old, spec: ephemeralContainers === undefined ? spec : { ...spec, ephemeralContainers } }
  const errors = [...validateStoredPod(object), ...checkEphemeralChange(object, old)]
  return errors.length > 0 ? { kind: 'invalid', errors } : { kind: 'changed', object }
}
