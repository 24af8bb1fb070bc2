// effect: image requests to the runtime
// Makes sure of a container's image, with the events and the back-off that kubelet has for it: 10 s after the first
// failure, doubling to 300 s, per pod and image.
import type { Container } from '#api/core.ts'
import { messageOf } from '#daemon/error.ts'
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { parseImageReference } from '#node/images/reference.ts'
import type { Waiting } from '#node/pod/container-status.ts'
import type { ImageStatus } from '#node/runtime.ts'

export type Pulled =
  | { readonly kind: 'image'; readonly image: ImageStatus }
  | { readonly kind: 'waiting'; readonly waiting: Waiting; readonly againMs: number }

const firstBackoffMs = 10_000
const mostBackoffMs = 300_000
/** For so long a failure is shown as what it is, then as a pause. */
const shownMs = 3000

type Failure = { readonly at: number; readonly backoffMs: number; readonly message: string }

export class ImagePuller {
  readonly #o: Pick<AgentContext, 'runtime' | 'events' | 'clock'>
  readonly #failures = new Map<string, Failure>()

  constructor(options: Pick<AgentContext, 'runtime' | 'events' | 'clock'>) {
    this.#o = options
  }

  async ensure(pod: StoredPod, container: Container): Promise<Pulled> {
    const { runtime, events } = this.#o
    const image = container.image ?? ''
    const hasCommand = (container.command ?? []).length > 0
    const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      events.container(pod, container, type, reason, message)
    if (parseImageReference(image) === undefined) {
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`
      tell('Warning', 'InspectFailed', message)
      return this.#refuse(pod, container, 'InvalidImageName', message, mostBackoffMs)
    }
    const present = await runtime.imageStatus(image, hasCommand)
    if (present) {
      tell('Normal', 'Pulled', present.note ?? `Container image "${image}" already present on machine`)
      this.#failures.delete(keyOf(pod, image))
      return { kind: 'image', image: present }
    }
    if (container.imagePullPolicy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`
      tell('Warning', 'ErrImageNeverPull', message)
      return this.#refuse(pod, container, 'ErrImageNeverPull', message, firstBackoffMs)
    }
    return this.#pull(pod, container, image, hasCommand)
  }

  forget(uid: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(`${uid} `)) this.#failures.delete(key)
  }

  async #pull(pod: StoredPod, container: Container, image: string, hasCommand: boolean): Promise<Pulled> {
    const { runtime, events, clock } = this.#o
    const key = keyOf(pod, image)
    const before = this.#failures.get(key)
    const now = clock.now()
    if (before && now < before.at + Math.min(shownMs, before.backoffMs)) {
      const waiting = { reason: 'ErrImagePull', message: before.message }
      return { kind: 'waiting', waiting, againMs: before.at + shownMs - now }
    }
    if (before && now < before.at + before.backoffMs) {
      const message = `Back-off pulling image "${image}"`
      events.container(pod, container, 'Normal', 'BackOff', message)
      const whole = `${message}: ErrImagePull: ${before.message}`
      return this.#refuse(pod, container, 'ImagePullBackOff', whole, before.at + before.backoffMs - now)
    }
    events.container(pod, container, 'Normal', 'Pulling', `Pulling image "${image}"`)
    try {
      return { kind: 'image', image: await runtime.pullImage(image, hasCommand) }
    } catch (error) {
      const message = messageOf(error)
      events.container(pod, container, 'Warning', 'Failed', `Failed to pull image "${image}": ${message}`)
      const backoffMs = before ? Math.min(2 * before.backoffMs, mostBackoffMs) : firstBackoffMs
      this.#failures.set(key, { at: clock.now(), backoffMs, message })
      return this.#refuse(pod, container, 'ErrImagePull', message, shownMs)
    }
  }

  #refuse(pod: StoredPod, container: Container, reason: string, message: string, againMs: number): Pulled {
    this.#o.events.container(pod, container, 'Warning', 'Failed', `Error: ${reason}`)
    return { kind: 'waiting', waiting: { reason, message }, againMs }
  }
}

const keyOf = (pod: StoredPod, image: string) => `${pod.metadata.uid} ${image}`
