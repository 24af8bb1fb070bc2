// /healthz, /livez, /readyz with their checks, /metrics and /version.

import { checkAll, type Check } from '#daemon/health-report.ts'
import { kubernetesVersion, version as ownVersion } from '#daemon/version.ts'
import { jsonAnswer, textAnswer, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'

const endpoints = ['healthz', 'livez', 'readyz']

/** Paths that anyone may ask, whatever roles say. */
export const isOpenPath = (path: string): boolean => endpoints.includes(path.slice(1))

/** Undefined: not a path of these. */
export function answerHealth(request: ApiRequest, checks: Readonly<Record<string, Check>>): Answer | undefined {
  const [, endpoint = '', name] = request.path.split('/')
  if (!endpoints.includes(endpoint)) return undefined
  const all: Record<string, Check> = { ping: () => undefined, ...checks }
  if (name !== undefined && name !== '') {
    const check = all[name]
    if (check === undefined) return textAnswer(404, '404 page not found\n')
    const reason = check()
    return reason === undefined ? textAnswer(200, 'ok') : textAnswer(500, `${reason}\n`)
  }
  const { healthy, report } = checkAll(endpoint, all, request.query.getAll('exclude'))
  if (healthy && !request.query.has('verbose')) return textAnswer(200, 'ok')
  return textAnswer(healthy ? 200 : 500, report)
}

/** What kubectl compares itself with: the release whose API this is; ours is its build metadata. */
export function answerVersion(buildDate: string, platform: string): Answer {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion)!
  return jsonAnswer({
    major,
    minor,
    gitVersion: `${kubernetesVersion}+fairway.${ownVersion}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate,
    goVersion: '',
    compiler: 'node',
    platform,
  })
}
