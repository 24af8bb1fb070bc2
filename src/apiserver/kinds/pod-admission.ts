// What a new pod is given that depends on other objects: its service account, its priority and its tolerations
// (Kubernetes' admission plug-ins ServiceAccount, Priority and DefaultTolerationSeconds).

import type { AdmitContext, Refused } from '#apiserver/kind.ts'
import { withTokenVolume } from '#apiserver/kinds/token-volume.ts'
import { type Pod, type PodSpec, pods, type ServiceAccount, serviceAccounts } from '#api/core.ts'
import { addTolerations } from '#api/pod/defaults.ts'
import { priorityClasses } from '#api/scheduling.ts'
import { forbidden } from '#api/status.ts'

export type AdmittedPod = { readonly kind: 'admitted'; readonly pod: Pod } | Refused

export async function admitPod(pod: Pod, context: AdmitContext): Promise<AdmittedPod> {
  const withAccount = await giveAccount(pod, context)
  if (withAccount.kind !== 'admitted') return withAccount
  return givePriority(addTolerations(withAccount.pod), context)
}

const mirror = 'kubernetes.io/config.mirror'

/** A mirror pod shows what runs on a node by itself; it has no account. */
async function giveAccount(pod: Pod, context: AdmitContext): Promise<AdmittedPod> {
  const spec: PodSpec = pod.spec ?? { containers: [] }
  const refuse = (why: string): Refused => ({ kind: 'status', status: forbidden(pods, context.name, why) })
  if (pod.metadata?.annotations?.[mirror] !== undefined)
    return spec.serviceAccountName
      ? refuse('a mirror pod may not reference service accounts')
      : { kind: 'admitted', pod }
  const name = spec.serviceAccountName || 'default'
  const account = await context.objects.get(serviceAccounts, context.namespace, name)
  // The account `default` of a new namespace is made by a controller a moment later.
  if (account === undefined && name !== 'default') {
    const what = `error looking up service account ${context.namespace}/${name}`
    return refuse(`${what}: serviceaccount "${name}" not found`)
  }
  const named = { ...spec, serviceAccountName: name, serviceAccount: name }
  const whole = withTokenVolume(withPullSecrets(named, account), account, (below) => context.random(below))
  return { kind: 'admitted', pod: { ...pod, spec: whole } }
}

function withPullSecrets(spec: PodSpec, account: ServiceAccount | undefined): PodSpec {
  if (spec.imagePullSecrets?.length || !account?.imagePullSecrets?.length) return spec
  return { ...spec, imagePullSecrets: account.imagePullSecrets }
}

const builtIn: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

/** The number that a pod's class means; 0 without one, or that of the class that is the default. */
async function givePriority(pod: Pod, context: AdmitContext): Promise<AdmittedPod> {
  const spec: PodSpec = pod.spec ?? { containers: [] }
  const classes = await context.objects.list(priorityClasses)
  const name = spec.priorityClassName || classes.find(({ globalDefault }) => globalDefault)?.metadata?.name
  const found = classes.find(({ metadata }) => metadata?.name === name)
  const priority = found?.value ?? (name === undefined ? 0 : builtIn[name])
  const refuse = (why: string): Refused => ({ kind: 'status', status: forbidden(pods, context.name, why) })
  if (priority === undefined) return refuse(`no PriorityClass with name ${name} was found`)
  if (spec.priority !== undefined && spec.priority !== priority) {
    const given = `the integer value of priority (${spec.priority}) must not be provided in pod spec`
    return refuse(`${given}; priority admission controller computed ${priority} from the given PriorityClass name`)
  }
  const preemptionPolicy = spec.preemptionPolicy ?? found?.preemptionPolicy ?? 'PreemptLowerPriority'
  const named = name === undefined ? {} : { priorityClassName: name }
  return { kind: 'admitted', pod: { ...pod, spec: { ...spec, ...named, priority, preemptionPolicy } } }
}
