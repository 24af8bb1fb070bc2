// Pods. What they may say is in api/pod; what others do to them (bind, evict, look into) is in pod-*.ts beside.

import type { Admitted, AdmitContext, Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, since, text, wide } from '#apiserver/kinds/cells.ts'
import { proxyToPod } from '#apiserver/kinds/proxied.ts'
import { admitPod } from '#apiserver/kinds/pod-admission.ts'
import { podParts, podSubresources } from '#apiserver/kinds/pod-subresources.ts'
import { type Pod, type PodSpec, pods } from '#api/core.ts'
import type { DeleteOptions } from '#api/meta.ts'
import { dns1123Label } from '#api/names.ts'
import { addTolerations, defaultPod } from '#api/pod/defaults.ts'
import { isPodTerminal } from '#api/pod-state.ts'
import { qosClassOf } from '#api/pod/qos.ts'
import { summarizePod } from '#api/pod/summary.ts'
import { validatePodStatus } from '#api/pod/validate-status.ts'
import { validatePodUpdate } from '#api/pod/validate-update.ts'
import { validatePod } from '#api/pod/validate.ts'
import { formatTime } from '#api/time.ts'

export const podKind: Kind<Pod> = {
  resource: pods,
  type: 'core.Pod',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  columns: [
    nameColumn,
    text('Ready'),
    text('Status'),
    text('Restarts'),
    ageColumn,
    wide('IP'),
    wide('Node'),
    wide('Nominated Node'),
    wide('Readiness Gates'),
  ],
  row: (pod, nowMs) => {
    const summary = summarizePod(pod)
    const ago = summary.restarts > 0 && summary.lastRestart ? ` (${since(summary.lastRestart, nowMs)} ago)` : ''
    return [
      nameOf(pod),
      `${summary.readyContainers}/${summary.totalContainers}`,
      summary.status,
      `${summary.restarts}${ago}`,
      age(pod, nowMs),
      pod.status?.podIPs?.[0]?.ip || '<none>',
      pod.spec?.nodeName || '<none>',
      pod.status?.nominatedNodeName || '<none>',
      gatesText(pod),
    ]
  },
  default: defaultPod,
  prepareCreate: (pod, context) => ({ ...pod, status: initialStatus(pod, context.nowMs) }),
  prepareUpdate: (pod, old) => addTolerations({ ...pod, ...(old.status ? { status: old.status } : {}) }),
  admit: {
    create: async (pod, context): Promise<Admitted<Pod>> => {
      const answer = await admitPod(pod, context)
      return answer.kind === 'admitted' ? { kind: 'admitted', object: answer.pod } : answer
    },
  },
  validate: (pod, old) => (old ? validatePodUpdate(pod, old) : validatePod(pod)),
  warnings: (pod, old) => (old === undefined ? warnAboutName(nameOf(pod)) : []),
  generation: 'spec without node',
  status: { prepare: prepareStatus, validate: validatePodStatus },
  graceful,
  answersDeleted: true,
  fields: (pod) => ({
    'spec.nodeName': pod.spec?.nodeName ?? '',
    'spec.restartPolicy': pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': `${pod.spec?.hostNetwork ?? false}`,
    'status.phase': pod.status?.phase ?? '',
    'status.podIP': pod.status?.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': pod.status?.nominatedNodeName ?? '',
  }),
  parts: podParts,
  proxy: proxyToPod,
  subresources: podSubresources,
}

function gatesText(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const passed = gates.filter(
    ({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status === 'True',
  )
  return `${passed.length}/${gates.length}`
}

function initialStatus(pod: Pod, nowMs: number): NonNullable<Pod['status']> {
  const spec: PodSpec = pod.spec ?? { containers: [] }
  const isGated = (spec.schedulingGates?.length ?? 0) > 0
  const gated = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
    lastTransitionTime: formatTime(nowMs),
  }
  return { phase: 'Pending', ...(isGated ? { conditions: [gated] } : {}), qosClass: qosClassOf(spec) }
}

/**
 * The class is decided once, and a node does not unsay what the server has observed. Who knows of one address only sets
 * podIP, which is then the first of podIPs.
 */
function prepareStatus(pod: Pod, old: Pod, _context: AdmitContext): Pod {
  const { qosClass, observedGeneration } = old.status ?? {}
  const { podIP, podIPs = [] } = pod.status ?? {}
  return {
    ...pod,
    status: {
      ...pod.status,
      ...(podIP && podIPs[0]?.ip !== podIP ? { podIPs: [{ ip: podIP }] } : {}),
      ...(qosClass && !pod.status?.qosClass ? { qosClass } : {}),
      ...(observedGeneration && !pod.status?.observedGeneration ? { observedGeneration } : {}),
    },
  }
}

/** A pod that runs nowhere, or has ended, need not be waited for. */
function graceful(pod: Pod, options: DeleteOptions): number {
  if (!pod.spec?.nodeName || isPodTerminal(pod)) return 0
  const seconds = options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 0
  return seconds < 0 ? 1 : seconds
}

function warnAboutName(name: string): string[] {
  const wrong = dns1123Label(name)
  if (wrong.length === 0) return []
  const text = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
  return [`metadata.name: ${text}: [${wrong.join(' ')}]`]
}
