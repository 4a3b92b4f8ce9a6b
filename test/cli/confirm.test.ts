import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { confirmName, confirmYes } from '../../src/cli/confirm.ts'

/** A person who types `text`, or nobody. */
function streams(text: string | null) {
  const stdin = Object.assign(new PassThrough(), { isTTY: text !== null })
  if (text !== null) stdin.write(text)
  return { stdin: stdin as unknown as NodeJS.ReadStream, stderr: new PassThrough() as unknown as NodeJS.WriteStream }
}

test('y/N is never a default yes', async () => {
  await expect(confirmYes('Stop?', false, streams('\n'))).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED', exit: 4 })
  await expect(confirmYes('Stop?', false, streams('n\n'))).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED' })
  await expect(confirmYes('Stop?', false, streams('y\n'))).resolves.toBeUndefined()
})

test('without a terminal nobody is asked: --yes or a refusal', async () => {
  await expect(confirmYes('Stop?', false, streams(null))).rejects.toMatchObject({ hint: expect.stringContaining('--yes') })
  await expect(confirmYes('Stop?', true, streams(null))).resolves.toBeUndefined()
})

test('high danger wants the very name, typed or by --confirm', async () => {
  await expect(confirmName('Drop it.', 'web', undefined, streams('wob\n'))).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED' })
  await expect(confirmName('Drop it.', 'web', undefined, streams('web\n'))).resolves.toBe('web')
  await expect(confirmName('Drop it.', 'web', 'web', streams(null))).resolves.toBe('web')
  await expect(confirmName('Drop it.', 'web', 'other', streams(null))).rejects.toMatchObject({
    message: expect.stringContaining('"other"'),
  })
  await expect(confirmName('Drop it.', 'web', undefined, streams(null))).rejects.toMatchObject({
    hint: expect.stringContaining('--confirm web'),
  })
})
