// Everything that the server answers without a stored object: health, version, metrics, discovery, schemas, reviews.

import type { Discovered } from '#api/discovery-document.ts'
import type { Check } from '#daemon/health-report.ts'
import type { Registry } from '#daemon/metrics.ts'
import { formatTime } from '#api/time.ts'
import { renderBackup } from '#apiserver/store/backup.ts'
import { answerDiscovery } from '#apiserver/documents/discovery.ts'
import { discoveredOf } from '#apiserver/documents/discovered.ts'
import { answerHealth, answerVersion } from '#apiserver/documents/health.ts'
import { openApiOf } from '#apiserver/documents/openapi.ts'
import { answerReview, discoveredReviews, type Reviews } from '#apiserver/documents/reviews.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import { textAnswer, type Answer } from '#apiserver/http/answer.ts'
import type { Extra } from '#apiserver/http/dispatch.ts'

export type ExtraOptions = {
  readonly engine: Engine
  readonly reviews: Reviews
  readonly registry: Registry
  readonly checks: Readonly<Record<string, Check>>
  /** `HOST:PORT` */
  readonly serverAddress: string
  /** `linux/amd64` */
  readonly platform: string
  readonly startedAt: string
}

export function extraOf(options: ExtraOptions): Extra {
  const { engine, reviews, registry, checks, serverAddress, platform, startedAt } = options
  let resources: readonly Discovered[] = []
  let generation = -1
  const discovery = {
    serverAddress,
    resources() {
      if (generation !== engine.served.generation) {
        generation = engine.served.generation
        resources = [...[...engine.served.all()].map(({ kind }) => discoveredOf(kind)), ...discoveredReviews]
      }
      return resources
    },
  }
  const openApi = openApiOf(discovery.resources)
  return (request, target) => {
    if (target.kind === 'resource')
      return target.subresource === '' ? answerReview(reviews, request, target) : undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
    const { path } = request
    if (path === '/version' || path === '/version/') return answerVersion(startedAt, platform)
    if (path === '/fairway/backup') return answerBackup(engine)
    if (path === '/metrics') return textAnswer(200, registry.render(), 'text/plain; version=0.0.4; charset=utf-8')
    return answerHealth(request, checks) ?? answerDiscovery(discovery, request) ?? openApi.answer(request)
  }
}

/** Everything in the store, for `fairway store backup`: an administrator's alone, since it holds every secret. */
const answerBackup = ({ store, world }: Engine): Answer => ({
  kind: 'stream',
  contentType: 'application/x-ndjson',
  chunks: renderBackup(store, formatTime(world.nowMs())),
})
