// The cluster's names from pods, in the default mode.
import { testNames } from '#test/cluster/dns-cases.ts'

testNames('dns', [])
