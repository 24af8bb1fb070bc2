// What the verbs share: the store, the resources served, time and chance.

import type { AdmitContext, Kind, Objects, User } from '#apiserver/kind.ts'
import { type Guard, nothingGuarded } from '#apiserver/engine/guard.ts'
import { ServedResources } from '#apiserver/engine/served.ts'
import type { Store } from '#apiserver/store/store.ts'

/** What of the world the engine may ask; tests give a still world. */
export type World = {
  nowMs(): number
  /** a whole number from 0 to below - 1 */
  random(below: number): number
  uuid(): string
}

export class Engine {
  readonly store: Store
  readonly world: World
  readonly served: ServedResources
  /** as kinds see other objects */
  readonly objects: Objects
  /** asked before each write */
  readonly guard: Guard

  /** `kinds` gets the objects that its own kinds make up; it may use them once it has returned. */
  constructor(
    store: Store,
    world: World,
    objectsOf: (engine: Engine) => Objects,
    kinds: (objects: Objects) => readonly Kind[],
    guardOf: (engine: Engine) => Guard = () => nothingGuarded,
  ) {
    this.store = store
    this.world = world
    this.objects = objectsOf(this)
    this.served = new ServedResources(kinds(this.objects), store)
    this.guard = guardOf(this)
  }

  context(
    operation: AdmitContext['operation'],
    about: { readonly user: User; readonly namespace: string; readonly name: string; readonly dryRun: boolean },
  ): AdmitContext {
    return {
      operation,
      nowMs: this.world.nowMs(),
      user: about.user,
      namespace: about.namespace,
      name: about.name,
      dryRun: about.dryRun,
      random: (below) => this.world.random(below),
      objects: this.objects,
    }
  }
}

/** The server itself, where it writes objects without being asked. */
export const serverUser: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }
