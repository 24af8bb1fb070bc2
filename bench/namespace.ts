// Where a benchmark touches nobody: a script of it runs in namespaces that have no way out.
import { spawn } from 'node:child_process'
import { outer } from '#test/outer.ts'

/**
 * What the last line says that the script `bench/SCRIPT` prints, a JSON object; the lines before are said. A script that
 * fails has told why on its own.
 */
export async function inNamespace<T>(
  script: string,
  words: readonly string[],
  say: (line: string) => void,
): Promise<T> {
  const path = new URL(script, import.meta.url).pathname
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', path, ...words]
  const [command = '', ...rest] = [...outer(), ...node]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  let last = ''
  let line = ''
  for await (const text of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    const [first = '', ...more] = text.split('\n')
    line += first
    for (const next of more) {
      if (line.startsWith('{')) last = line
      else if (line !== '') say(line)
      line = next
    }
  }
  if (last === '') throw new Error(`bench/${script} failed`)
  return JSON.parse(last) as T
}
