// Which requests wait for which others. Administrators never wait; the cluster's own parts wait among themselves; all
// others wait for each other, and lists, which cost the most, count for more.

import { isPrivileged } from '#apiserver/auth/authorizer.ts'
import { FairQueue, type Leave } from '#apiserver/http/fair-queue.ts'
import type { Target } from '#apiserver/http/target.ts'
import type { User } from '#apiserver/kind.ts'

/** A few lists at a time are what a node's request may find before it. */
const others = { seats: 32, mostWaiting: 300 }
const system = { seats: 256, mostWaiting: 1000 }
const listWeight = 8

export type Fairness = {
  /** Undefined: the user has too many requests here already. */
  enter(user: User, target: Target): Promise<Leave> | Leave | undefined
  isHeavy(target: Target): boolean
}

export function createFairness(): Fairness {
  const ofSystem = new FairQueue(system)
  const ofOthers = new FairQueue(others)
  const isHeavy = (target: Target) =>
    target.kind === 'resource' && (target.verb === 'list' || target.verb === 'deletecollection')
  return {
    isHeavy,
    enter(user, target) {
      if (isPrivileged(user)) return () => {}
      const queue = isOfSystem(user) ? ofSystem : ofOthers
      return queue.enter(user.name, isHeavy(target) ? listWeight : 1)
    },
  }
}

const isOfSystem = ({ name, groups }: User) =>
  groups.includes('system:nodes') ||
  name.startsWith('system:kube-') ||
  name.startsWith('system:serviceaccount:kube-system:')
