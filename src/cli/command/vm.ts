// effect: a virtual machine
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { duration, number, text, toggle } from '#daemon/flags.ts'
import { defaultKernel, prepareKernel } from '#lab/vm/kernel.ts'
import { runVm } from '#lab/vm/run-vm.ts'

export const vm = defineCommand({
  name: 'vm',
  summary: "run a command in a virtual machine with Debian's kernel",
  usage: '[flags] -- COMMAND',
  description:
    "For what this machine's kernel lacks (IPVS, SCTP, NFS ...): QEMU without hardware support starts Debian's own kernel\n" +
    "with all its modules. The command sees this machine's files, folder and environment, and is root; what it writes is\n" +
    'forgotten at the end. There is no network but what it makes. The first time, QEMU is installed and the kernel downloaded.',
  examples: [
    'fairway vm -- uname -a',
    "fairway vm -- sh -c 'modprobe ip_vs; ipvsadm -ln'",
    'fairway vm --memory 4096 -- ./fairway up --load-modules',
  ],
  flags: {
    memory: number({ help: 'megabytes of memory', default: 2048, min: 256, placeholder: 'MB' }),
    cpus: number({ help: 'how many processors', default: 1, min: 1, max: 16 }),
    kernel: text({
      help: "Debian package of the kernel, for example an older one's",
      default: defaultKernel,
      placeholder: 'PACKAGE',
    }),
    kernelArguments: text({
      help: "more words for the kernel's command line, for example ipv6.disable=1",
      default: '',
      placeholder: 'WORDS',
    }),
    timeout: duration({ help: 'the machine is turned off after this time', default: '10m' }),
    prepare: toggle({ help: 'only install and download what is missing' }),
  },
  async run({ memory, cpus, kernel, kernelArguments, timeout, prepare }, command, { signal, stderr, env }) {
    if (command.length === 0 && !prepare)
      throw new UserError('which command?', {
        code: 'BadArgument',
        exitCode: 2,
        remedy: 'for example: fairway vm -- uname -a',
      })
    const ready = await prepareKernel(kernel, (line) => stderr.write(`${line}\n`), signal)
    if (prepare) return 0
    const options = { command, folder: process.cwd(), env, memoryMb: memory, cpus, kernelArguments }
    const late = AbortSignal.timeout(timeout)
    try {
      return await runVm(ready, options, process, AbortSignal.any([signal, late]))
    } catch (error) {
      if (late.aborted && !signal.aborted)
        throw new UserError('the command in the virtual machine did not end in time', {
          code: 'Timeout',
          remedy: 'give it more with --timeout',
        })
      throw error
    }
  },
})
