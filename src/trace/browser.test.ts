// The tracer as a web page would have it: one bundle, run where there is nothing of Node.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'

const page = `
import { explain } from '#trace/explain.ts'
import { firstPacket } from '#trace/packet.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { traceWorld } from '#trace/trace.ts'

export function answer(file, text) {
  const { world, problems } = readWorld([{ file, text }])
  const packet = firstPacket({ protocol: 'tcp', source: '10.244.1.9', destination: '10.110.244.138', destinationPort: 8080 })
  return JSON.stringify({ problems, said: explain(packet, traceWorld(world, { packet }), { all: false }) })
}
`

test('trace: runs in a browser', async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: page, resolveDir: '.', sourcefile: 'page.ts', loader: 'ts' },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'page',
    write: false,
    metafile: true,
  })
  const inputs = Object.keys(metafile.inputs)
  assert.ok(inputs.includes('src/trace/walk-world.ts'))
  assert.deepEqual(
    inputs.flatMap((input) => metafile.inputs[input]!.imports.filter(({ path }) => path.startsWith('node:'))),
    [],
  )
  // What the language has, and the two classes of the web that are used: no process, no Buffer, no require.
  const context = createContext({ TextEncoder, TextDecoder })
  runInContext(outputFiles[0]!.text, context)
  const file = 'src/trace/testdata/iptables-list.txt'
  Object.assign(context, { file, text: readFileSync(file, 'utf8') })
  const { problems, said } = JSON.parse(String(runInContext('page.answer(file, text)', context))) as {
    readonly problems: readonly string[]
    readonly said: string
  }
  assert.deepEqual(problems, [])
  for (const last of [5, 6, 7, 8]) assert.match(said, new RegExp(`25%  goes to 10\\.244\\.1\\.${last}:80`))
})
