// node .ci/count.js FIRST SECOND: counts vitest's JSON reports as "N passed, N failed, N skipped". SECOND, which may not be there, is of
// the files that failed in FIRST and were run once more. node .ci/count.js FIRST --again: the files to run once more, if any may be.
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'

const [first = '', second = ''] = process.argv.slice(2)
const read = (report) => {
  const text = existsSync(report) ? readFileSync(report, 'utf8') : ''
  const files = text === '' ? [] : JSON.parse(text).testResults
  return new Map(files.map(({ name, status, assertionResults }) => [relative(process.cwd(), name), { status, tests: assertionResults }]))
}
/** A file that does not even load has no tests to count, but it failed. */
const failuresOf = (files) =>
  [...files].flatMap(([name, { status, tests }]) =>
    status === 'failed' && tests.length === 0
      ? [name]
      : tests.filter((test) => test.status === 'failed').map(({ fullName }) => `${name} > ${fullName}`),
  )

const files = read(first)
if (second === '--again') {
  const failed = [...files].filter(([, { status }]) => status === 'failed').map(([name]) => name)
  // Processes, threads and sockets on real clocks may meet a machine that stands still, and pass when they are alone; what is wrong fails
  // again. Of more files than these it is no accident, and what a property or a simulation found is found.
  if (failed.length <= 3 && !failed.some((name) => /\.(prop|sim)\.test\.tsx?$/.test(name))) console.log(failed.join(' '))
} else {
  const ended = new Map([...files, ...read(second)])
  const failed = failuresOf(ended)
  for (const test of failuresOf(files).filter((one) => !failed.includes(one))) console.log(`unsteady, passed when run once more: ${test}`)
  const of = (...states) => [...ended.values()].flatMap(({ tests }) => tests).filter(({ status }) => states.includes(status)).length
  console.log(
    `${of('passed')} passed, ${Math.max(failed.length, files.size === 0 ? 1 : 0)} failed, ${of('pending', 'skipped', 'todo')} skipped`,
  )
}
