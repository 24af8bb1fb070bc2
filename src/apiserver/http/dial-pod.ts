// effect: WebSockets to the agents of nodes
// A connection to a port of a pod through the agent of its node: a port-forward of one port, which every kubelet knows.
// The server itself has no route to pods (decision 014).

import { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { formatAuthority, type AgentAddress, type AgentTrust } from '#apiserver/http/backend.ts'

const protocol = 'v4.channel.k8s.io'
const handshakeMs = 10_000
/** Of the two channels of the only port. */
const dataChannel = 0

type PodPort = { readonly namespace: string; readonly pod: string; readonly port: number }

/** Rejects where the agent cannot be reached or knows no such pod; a closed port ends the stream with an error. */
export async function dialPod(agent: AgentAddress, trust: AgentTrust, to: PodPort): Promise<Duplex> {
  const { namespace, pod, port } = to
  const path = ['portForward', namespace, pod].map(encodeURIComponent).join('/')
  const { cert, key, ca } = trust
  const client = new WebSocket(`wss://${formatAuthority(agent)}/${path}?port=${port}`, protocol, {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: ca !== undefined,
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
  })
  const stream = streamOf(client)
  await new Promise<void>((resolve, reject) => {
    client.once('open', resolve)
    client.once('error', reject)
  })
  client.on('error', (error) => stream.destroy(error))
  return stream
}

function streamOf(client: WebSocket): Duplex {
  const stream = new Duplex({
    read: () => client.resume(),
    write: (data: Uint8Array, _encoding, done) => client.send(frameOf(data), (error) => done(error)),
    // A port-forward cannot be closed in one direction only.
    final: (done) => done(),
    destroy(error, done) {
      client.terminate()
      done(error)
    },
  })
  const begun = new Set<number>()
  client.on('message', (message: Buffer) => {
    const channel = message[0]!
    const data = message.subarray(1)
    // The first of each channel is the number of its port.
    if (!begun.has(channel)) begun.add(channel)
    else if (channel !== dataChannel) stream.destroy(new Error(data.toString()))
    else if (!stream.push(data)) client.pause()
  })
  client.on('close', () => stream.push(null))
  return stream
}

function frameOf(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 1)
  frame[0] = dataChannel
  frame.set(data, 1)
  return frame
}
