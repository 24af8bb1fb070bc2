// The parts of the node as pods in kube-system, so that `kubectl get pods -n kube-system` shows them and `kubectl logs`
// their logs: kube-proxy-node-1, kube-flannel-node-1. They are mirror pods, as of a kubelet's static pods: the node makes
// them, nobody runs them.

import type { Pod, PodStatus } from '#api/core.ts'
import { formatTime } from '#api/time.ts'
import { kubernetesVersion } from '#daemon/version.ts'
import { planConditions, stampConditions } from '#node/pod/conditions.ts'

export type NodePart = {
  /** of the container, and the beginning of the pod's name: `kube-proxy` */
  readonly name: string
  readonly command: readonly string[]
  /** where it writes its log, in klog's form */
  readonly logPath: string
  readonly startedAtMs: number
  /** why it is not ready; undefined where it is */
  readonly problem: () => string | undefined
}

const mirrorAnnotation = 'kubernetes.io/config.mirror'

export const mirrorNamespace = 'kube-system'
export const mirrorName = (part: NodePart, nodeName: string): string => `${part.name}-${nodeName}`

export function planMirrorPod(part: NodePart, node: { readonly name: string; readonly uid: string }): Pod {
  const { name, command } = part
  return {
    metadata: {
      name: mirrorName(part, node.name),
      namespace: mirrorNamespace,
      labels: { 'k8s-app': name, component: name, tier: 'node' },
      annotations: {
        [mirrorAnnotation]: `fairway-${name}`,
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.hash': `fairway-${name}`,
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid, controller: true }],
    },
    spec: {
      nodeName: node.name,
      hostNetwork: true,
      restartPolicy: 'Always',
      priorityClassName: 'system-node-critical',
      terminationGracePeriodSeconds: 30,
      enableServiceLinks: true,
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
      containers: [{ name, image: `fairway:${kubernetesVersion}`, imagePullPolicy: 'IfNotPresent', command }],
    },
  }
}

/** Its container has run since the part has; it is ready while the part says so. */
export function planMirrorStatus(
  part: NodePart,
  pod: Pod,
  o: { readonly hostIps: readonly string[]; readonly nowMs: number },
): PodStatus {
  const ready = part.problem() === undefined
  const startedAt = formatTime(part.startedAtMs)
  const status = {
    name: part.name,
    image: `fairway:${kubernetesVersion}`,
    imageID: `built-in/fairway`,
    containerID: `process://${part.name}-${Math.floor(part.startedAtMs)}`,
    ready,
    started: true,
    restartCount: 0,
    state: { running: { startedAt } },
    lastState: {},
  }
  const planned = planConditions(pod, { init: [], regular: [status] }, 'Running', true)
  const ips = o.hostIps.map((ip) => ({ ip }))
  return {
    phase: 'Running',
    conditions: stampConditions(planned, pod.status?.conditions ?? [], formatTime(o.nowMs), pod.metadata?.generation),
    ...(ips[0] && { hostIP: ips[0].ip, hostIPs: ips, podIP: ips[0].ip, podIPs: ips }),
    startTime: startedAt,
    containerStatuses: [status],
  }
}
