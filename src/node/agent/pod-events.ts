// effect: events at the API server
// Events about pods and their containers, as kubelet writes them.

import { pods, type Container } from '#api/core.ts'
import { referenceTo, type Recorder } from '#client/events.ts'
import type { StoredPod } from '#node/agent/agent-context.ts'
import { listOf } from '#node/pod/containers.ts'

export type PodEvents = {
  pod(pod: StoredPod, type: 'Normal' | 'Warning', reason: string, message: string): void
  container(pod: StoredPod, container: Container, type: 'Normal' | 'Warning', reason: string, message: string): void
}

export const podEvents = (recorder: Recorder): PodEvents => ({
  pod: (pod, type, reason, message) => recorder.event(referenceTo(pods, pod), type, reason, message),
  container: (pod, container, type, reason, message) =>
    recorder.event(referenceTo(pods, pod, fieldPath(pod, container)), type, reason, message),
})

const fieldPath = ({ spec }: StoredPod, { name }: Container) => `spec.${listOf(spec, name)}{${name}}`
