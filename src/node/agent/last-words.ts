// effect: files of containers' last words
// What a container said at its end: the file that it may write, or the end of its log where the pod asks for that.
import { readFileSync } from 'node:fs'
import { lastWordsAnnotation, lastWordsPolicyAnnotation } from '#node/pod/container-config.ts'
import { parseLogLine } from '#node/logs/line.ts'
import type { PodView } from '#node/pod/view.ts'
import type { ContainerStatus } from '#node/runtime.ts'

const mostWords = 4096
const mostLogLines = 80
const mostLogBytes = 2048

/** The view with the message of each container that has ended. */
export const withLastWords = (view: PodView): PodView => ({
  ...view,
  containers: view.containers.map((container) => (container.state === 'exited' ? withMessage(container) : container)),
})

function withMessage(ended: ContainerStatus): ContainerStatus {
  const path = ended.annotations[lastWordsAnnotation]
  const file = ended.mounts.find(({ containerPath }) => containerPath === path)?.hostPath
  const words = file === undefined ? '' : readText(file).slice(0, mostWords)
  const mayUseLog = ended.annotations[lastWordsPolicyAnnotation] === 'FallbackToLogsOnError' && ended.exitCode !== 0
  const said = words === '' && mayUseLog && ended.reason !== 'StartError' ? endOfLog(ended.logPath) : words
  const message = [ended.message, said].filter(Boolean).join(': ')
  return message === '' ? ended : { ...ended, message }
}

function endOfLog(path: string): string {
  const encoder = new TextEncoder()
  const lines = readText(path).trimEnd().split('\n').slice(-mostLogLines)
  const texts = lines.map((line) => {
    const parsed = parseLogLine(encoder.encode(line))
    return parsed ? Buffer.from(parsed.text).toString() + (parsed.isPartial ? '' : '\n') : ''
  })
  return texts.join('').slice(-mostLogBytes)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
