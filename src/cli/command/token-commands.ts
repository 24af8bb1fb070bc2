// effect: random tokens
// `fairway token create`: what another machine needs to join this cluster.

import { randomInt } from 'node:crypto'
import { secrets } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { duration } from '#daemon/flags.ts'
import { partFlags } from '#cli/part-command.ts'
import { hashOf } from '#node/join/discover.ts'

export const tokenCreate = defineCommand({
  name: 'token create',
  summary: 'a bootstrap token, and the command by which another machine joins',
  usage: '[flags]',
  description:
    'The token is a Secret in kube-system; kubectl -n kube-system get secrets --field-selector\n' +
    'type=bootstrap.kubernetes.io/token shows all, and kubectl delete takes one back.',
  examples: ['fairway token create', 'fairway token create --ttl 10m --kubeconfig admin.conf'],
  flags: {
    kubeconfig: partFlags.kubeconfig,
    ttl: duration({ help: 'how long machines may join with it; 0 is for ever', default: '24h' }),
  },
  async run({ kubeconfig, ttl }, rest, { stdout, stderr }) {
    takesNone('token create', rest)
    const config = loadKubeconfig(kubeconfig)
    const client = connect(config)
    const [id, secret] = [randomText(6), randomText(16)]
    const expiration = new Date(Date.now() + ttl).toISOString().replace(/\.\d+Z$/, 'Z')
    const data = {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      'usage-bootstrap-signing': 'true',
      ...(ttl > 0 && { expiration }),
    }
    const encoded = Object.fromEntries(Object.entries(data).map(([name, text]) => [name, btoa(text)]))
    const metadata = { name: `bootstrap-token-${id}`, namespace: 'kube-system' }
    const type = 'bootstrap.kubernetes.io/token'
    await client.create(secrets, { metadata, type, data: encoded }, { namespace: 'kube-system' })
    client.close()
    const hash = config.ca === undefined ? '' : ` --ca-cert-hash ${hashOf(config.ca)}`
    stdout.write(`fairway node --server ${config.server} --token ${id}.${secret}${hash}\n`)
    if (/\/\/(127\.|localhost|\[::1\])/.test(config.server))
      stderr.write('fairway: other machines do not reach this address: give them --server with one that they do\n')
    return 0
  },
})

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
const randomText = (length: number) => Array.from({ length }, () => letters[randomInt(letters.length)]).join('')
