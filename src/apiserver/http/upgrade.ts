// effect: HTTP upgrades
// Requests that become something else than HTTP: exec, attach, port-forward, and WebSockets through a /proxy.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { failure, noSuchResource } from '#api/status.ts'
import { statusAnswer, type Answer } from '#apiserver/http/answer.ts'
import { destinationOf } from '#apiserver/http/backend.ts'
import { dispatch, statusOf } from '#apiserver/http/dispatch.ts'
import { admit, apiRequest, askedOf, report, type Asked, type Door } from '#apiserver/http/door.ts'
import { proxyUpgrade } from '#apiserver/http/proxy.ts'
import { relayUpgrade, writeRaw } from '#apiserver/http/relay.ts'

export async function serveUpgrade(
  door: Door,
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  socket.on('error', () => socket.destroy())
  const asked = askedOf(request)
  const done = door.metrics.begin(asked.target)
  try {
    const answer = await upgradeAnswer(door, request, asked)
    if (answer.kind === 'relay' || answer.kind === 'proxy') {
      socket.on('close', () => done(101, 0))
      return await passOn(door, request, socket, head, answer)
    }
    done(answer.kind === 'bytes' ? answer.code : 400, 0)
    if (answer.kind === 'bytes') writeRaw(socket, answer)
    else writeRaw(socket, statusAnswer(failure(400, 'BadRequest', 'this request cannot be upgraded')))
  } catch (error) {
    report(door, asked.path, error)
    socket.destroy()
  }
  return undefined
}

async function passOn(
  door: Door,
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
  answer: Extract<Answer, { kind: 'relay' | 'proxy' }>,
): Promise<void> {
  try {
    const backend = answer.kind === 'relay' ? ({ kind: 'agent', node: answer.node } as const) : answer.backend
    const to = await destinationOf(door.engine.objects, door.trust, backend)
    if (answer.kind === 'relay') relayUpgrade(to, answer.pathAndQuery, request, socket, head)
    else proxyUpgrade(to, answer, request, socket, head)
  } catch (error) {
    writeRaw(socket, statusAnswer(statusOf(error, () => {})))
  }
}

async function upgradeAnswer(door: Door, request: IncomingMessage, asked: Asked): Promise<Answer> {
  const { target, path } = asked
  // A watch by WebSocket is not served; a client that offers it for anything but a relay is answered without.
  if (target.kind !== 'resource' || target.subresource === '') return statusAnswer(noSuchResource())
  const admission = await admit(door, request, asked)
  if (admission.kind === 'refused') return admission.answer
  const body = new Uint8Array()
  return dispatch(door.engine, apiRequest(request, asked, admission.user, body), target, door.extra, (error) =>
    report(door, path, error),
  )
}
