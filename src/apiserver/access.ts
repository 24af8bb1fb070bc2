// Who may do what: the authorizers and the guards together, and what keeps them in step with what is stored.

import { persistentVolumes, pods, type PersistentVolume, type Pod } from '#api/core.ts'
import { clusterRoles, type ClusterRole } from '#api/rbac.ts'
import { type VolumeAttachment, volumeAttachments } from '#api/storage.ts'
import { type Authorizer, unionOf } from '#apiserver/auth/authorizer.ts'
import { follow } from '#apiserver/cache/follow.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { allGuards, type Guard } from '#apiserver/engine/guard.ts'
import { nodeAuthorizer } from '#apiserver/node-access/authorizer.ts'
import { NodeGraph } from '#apiserver/node-access/node-graph.ts'
import { nodeRestriction } from '#apiserver/node-access/restriction.ts'
import { planAggregation } from '#apiserver/rbac/aggregate.ts'
import { followRoles, rbacAuthorizer } from '#apiserver/rbac/authorizer.ts'
import { parseRule } from '#apiserver/rbac/default-objects.ts'
import { defaultRoles } from '#apiserver/rbac/default-roles.ts'
import { escalationGuard } from '#apiserver/rbac/escalation.ts'
import { RoleIndex } from '#apiserver/rbac/role-index.ts'
import { StoreError } from '#apiserver/store/store.ts'

export type Access = {
  readonly authorizer: Authorizer
  guardOf(engine: Engine): Guard
  /** Resolves when it knows all that is stored; until then it allows less. */
  follow(engine: Engine, report: (error: unknown) => void): Promise<void>
}

/** `commonNameOf`: whom a certificate signing request (as such objects carry it) is for. */
export function accessOf(commonNameOf: (request: string) => string | undefined): Access {
  const index = new RoleIndex()
  const graph = new NodeGraph()
  const nodeRules = defaultRoles['system:node']!.map(parseRule)
  const authorizer = unionOf([nodeAuthorizer(graph, nodeRules), rbacAuthorizer(index)])
  return {
    authorizer,
    guardOf: ({ objects }) => allGuards([nodeRestriction(objects, commonNameOf), escalationGuard(authorizer, index)]),
    async follow(engine, report) {
      await Promise.all([
        followRoles(engine.served, index),
        aggregate(engine, report),
        follow<Pod>(engine.served.of(pods).cache, {
          set: (key, pod) => graph.setPod(key, pod),
          gone: (key) => graph.setPod(key, undefined),
        }),
        follow<PersistentVolume>(engine.served.of(persistentVolumes).cache, {
          set: (key, volume) => graph.setVolume(key, volume),
          gone: (key) => graph.setVolume(key, undefined),
        }),
        follow<VolumeAttachment>(engine.served.of(volumeAttachments).cache, {
          set: (key, attachment) => graph.setAttachment(key, attachment.spec.nodeName),
          gone: (key) => graph.setAttachment(key, undefined),
        }),
      ])
    },
  }
}

/** Keeps cluster roles that are made of others as these are. */
async function aggregate({ served, objects }: Engine, report: (error: unknown) => void): Promise<void> {
  const roles = new Map<string, ClusterRole>()
  const act = async () => {
    for (const [name, rules] of planAggregation([...roles.values()]))
      await objects.change(clusterRoles, '', name, (role) => ({ ...role, rules }))
  }
  const isEnding = (error: unknown) => error instanceof StoreError && error.code === 'closed'
  await follow<ClusterRole>(served.of(clusterRoles).cache, {
    set: (name, role) => void roles.set(name, role),
    gone: (name) => void roles.delete(name),
    settled: () => void act().catch((error: unknown) => (isEnding(error) ? undefined : report(error))),
  })
}
