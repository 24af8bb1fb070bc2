// effect: HTTP requests
// What the appliance says of the nodes behind it.
import { request } from '#daemon/http.ts'
import type { ClusterPlan } from '#lab/plan.ts'
import { balancerHealthPort } from '#lab/process-plan.ts'

export type Backend = { readonly service: string; readonly node: string; readonly isIn: boolean; readonly why: string }

/** Empty where there is no appliance, or it does not answer. */
export async function fetchBackends(plan: ClusterPlan): Promise<readonly Backend[]> {
  const host = plan.hosts.find(({ role }) => role === 'balancer')
  if (host === undefined) return []
  const { promise, resolve } = Promise.withResolvers<string>()
  const asked = request(
    `http://${host.ip}:${balancerHealthPort}/backends`,
    { timeout: 2000, agent: false },
    (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve(text))
    },
  )
  asked.on('timeout', () => asked.destroy())
  asked.on('error', () => resolve('[]'))
  asked.end()
  return JSON.parse(await promise) as readonly Backend[]
}
