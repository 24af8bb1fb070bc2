// Serves what definitions of custom resources ask for, from the moment in which they are stored: names, conditions, the
// resources themselves, and their end.

import { type CustomResourceDefinition, customResourceDefinitions } from '#api/custom-resource.ts'
import { formatTime } from '#api/time.ts'
import { follow } from '#apiserver/cache/follow.ts'
import { customKinds } from '#apiserver/custom/custom-kind.ts'
import { isEstablished, withCondition, withNames } from '#apiserver/custom/naming.ts'
import { deleteObject } from '#apiserver/engine/delete.ts'
import { type Engine, serverUser } from '#apiserver/engine/engine.ts'
import type { Served } from '#apiserver/engine/served.ts'
import { cleanupFinalizer } from '#apiserver/kinds/custom-resource-definition.ts'
import { equalJson } from '#lib/equal.ts'

type Definition = CustomResourceDefinition

/** Resolves when all that are stored and accepted are served. */
export async function serveDefinitions(engine: Engine, report: (error: unknown) => void): Promise<void> {
  const definitions = new Map<string, Definition>()
  const ending = new Set<string>()
  const name = async () => {
    for (const [key, definition] of definitions) {
      const others = [...definitions.values()].filter((other) => other !== definition)
      const time = formatTime(engine.world.nowMs())
      if (withNames(definition, others, time) === definition) continue
      await engine.objects.change(customResourceDefinitions, '', key, (now) => withNames(now, others, time), {
        subresource: 'any',
      })
    }
  }
  const end = async (key: string, definition: Definition) => {
    if (ending.has(key)) return
    ending.add(key)
    try {
      await removeAll(engine, definition)
    } finally {
      ending.delete(key)
    }
  }
  await follow<Definition>(engine.served.of(customResourceDefinitions).cache, {
    set(key, definition) {
      const before = definitions.get(key)
      definitions.set(key, definition)
      if (!isEstablished(definition)) return
      if (before === undefined || !isServedAlike(before, definition)) serve(engine, definition)
      if (definition.metadata?.deletionTimestamp !== undefined && isHeld(definition))
        void end(key, definition).catch(report)
    },
    gone(key) {
      const definition = definitions.get(key)
      definitions.delete(key)
      if (definition !== undefined) engine.served.replace(definition.spec.group, definition.spec.names.plural, [])
    },
    settled: () => void name().catch(report),
  })
}

const isHeld = ({ metadata }: Definition) => metadata?.finalizers?.includes(cleanupFinalizer) ?? false

function isServedAlike(a: Definition, b: Definition): boolean {
  const parts = (definition: Definition) => [
    isEstablished(definition),
    definition.spec,
    definition.status?.acceptedNames,
    definition.metadata?.deletionTimestamp,
    definition.metadata?.uid,
  ]
  return equalJson(parts(a), parts(b))
}

/** What the server itself serves under that name stays. */
function serve({ served }: Engine, definition: Definition): void {
  const { group, names } = definition.spec
  const isBuiltIn = [...served.all()].some(
    (one) => one.group === group && one.plural === names.plural && one.kind.custom === undefined,
  )
  if (!isBuiltIn) served.replace(group, names.plural, customKinds(definition))
}

/** Deletes the resources of a definition that is deleted; it goes when none is left. */
async function removeAll(engine: Engine, definition: Definition): Promise<void> {
  const key = definition.metadata?.name ?? ''
  const say = (status: 'True' | 'False', reason: string, message: string) =>
    engine.objects.change(
      customResourceDefinitions,
      '',
      key,
      (now) => ({
        ...now,
        status: {
          ...now.status,
          storedVersions: now.status?.storedVersions ?? [],
          conditions: withCondition(
            now.status?.conditions ?? [],
            { type: 'Terminating', status, reason, message },
            formatTime(engine.world.nowMs()),
          ),
        },
      }),
      { subresource: 'any' },
    )
  await say('True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress')
  const { group, names } = definition.spec
  const one = [...engine.served.all()].find((served) => served.group === group && served.plural === names.plural)
  if (one !== undefined) await emptied(engine, one)
  await say('False', 'InstanceDeletionCompleted', 'removed all instances')
  await engine.objects.change(
    customResourceDefinitions,
    '',
    key,
    (now) => ({
      ...now,
      metadata: {
        ...now.metadata,
        finalizers: (now.metadata?.finalizers ?? []).filter((name) => name !== cleanupFinalizer),
      },
    }),
    { subresource: 'any' },
  )
}

/** Resolves when nothing is left; what has finalizers goes when these are done. */
async function emptied(engine: Engine, served: Served): Promise<void> {
  await served.cache.fresh()
  const done = Promise.withResolvers<void>()
  const look = () => {
    if (served.cache.size === 0 || served.ended.aborted) done.resolve()
  }
  served.ended.addEventListener('abort', look, { once: true })
  const stop = await served.cache.subscribe(served.cache.revision, look)
  const writing = { served, user: serverUser, dryRun: false, manage: <T>(object: T) => object, warn: () => {} }
  await Promise.all(
    [...served.cache.range()].map(({ namespace, name }) =>
      deleteObject(engine, { ...writing, namespace, name }, { propagationPolicy: 'Background' }).catch(() => {}),
    ),
  )
  look()
  await done.promise
  stop()
  // The definition has changed meanwhile: whoever serves it now goes on.
  if (served.cache.size > 0) {
    const next = engine.served.find(served.group, served.resource.version, served.plural)
    if (next !== undefined && next !== served) await emptied(engine, next)
  }
}
