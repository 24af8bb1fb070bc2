// An endpoint that comes gets its share step by step. It takes as long as the steps do.
import * as assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Runtime } from '#ingress/haproxy/runtime.ts'
import { need } from '#test/need.ts'
import { RunningIngress } from '#test/running-ingress.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['haproxy', 'curl'] })
const running = new RunningIngress()
after(() => running.stop())

test('slow start: less than its share at first, all of it in the end', { skip }, async () => {
  // Requests are under way at the same time: of two endpoints without any each gets the next one.
  const pod = (name: string) => running.pod(name, (_request, response) => void setTimeout(() => response.end(name), 20))
  const old = await pod('old')
  running.service('share', [old])
  running.ingress('share', 'share.test', '/', 'share')
  await running.start()
  /** Of 301 requests, how many the one that has come has got. */
  const share = async () => {
    const requests = Array.from({ length: 300 }, (_, i) => `http://127.0.0.1:8080/?${i}`)
    const text = await running.curl('share.test', '/', '-Z', '--parallel-max', '30', ...requests)
    return text.match(/new/g)?.length ?? 0
  }
  await until(async () => assert.equal(await running.curl('share.test', '/'), 'old 200'))
  // The first of all has come too, and gets its full weight when its own time is over.
  await until(async () => assert.equal(await weightOf(old), 100))
  running.endpoints('share', [old, await pod('new')])
  let first = 0
  await until(async () => assert.ok((first = await share()) > 0))
  assert.ok(first < 90, `${first} of 301 requests to one that has just come`)
  await until(async () => assert.ok((await share()) >= 130))
})

/** What HAProxy gives an endpoint now, of 100. */
async function weightOf(port: number): Promise<number> {
  using runtime = await Runtime.open(`${running.folder}/control`)
  const [head = '', ...lines] = (await runtime.ask('show stat -1 4 -1')).split('\n')
  const at = head.split(',').indexOf('weight')
  return Number(lines.find((line) => line.includes(`127.0.0.1:${port}`))?.split(',')[at])
}
