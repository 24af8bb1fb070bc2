// Tests inside a virtual machine with Debian's kernel, for what the kernel here may lack.
import { fairway, type Ran } from '#test/fairway.ts'
import { need } from '#test/need.ts'

/** For `test(name, { skip: needVm() }, ...)`. */
export const needVm = (): string | false => need({ root: true, programs: ['qemu-system-x86_64'] })

export type VmRun = {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly memoryMb?: number
  readonly timeout?: string
}

/** Runs a command in a machine of its own, to its end. The folder is that of the checkout; what it writes is lost. */
export const inVm = (command: readonly string[], { env, input, memoryMb = 2048, timeout = '8m' }: VmRun = {}): Ran =>
  fairway(['vm', '--memory', String(memoryMb), '--timeout', timeout, '--', ...command], {
    ...(env && { env }),
    ...(input !== undefined && { input }),
  })

/** Runs whole test files in a machine of their own; throws with their report where one fails. `modules` are loaded first. */
export function testInVm(files: readonly string[], modules: readonly string[] = [], run: VmRun = {}): void {
  const node = `${process.execPath} --disable-warning=ExperimentalWarning --test --test-force-exit --test-concurrency=1`
  const load = modules.length === 0 ? 'true' : `modprobe -a ${modules.join(' ')}`
  const words = ['sh', '-c', `${load} && exec ${node} --test-reporter=spec "$@"`, 'sh', ...files]
  const { status, stdout, stderr } = inVm(words, run)
  if (status !== 0) throw new Error(`${files.join(' ')} failed in the virtual machine:\n${stdout}${stderr}`)
}
