import fc from 'fast-check'
import { expect, it } from 'vitest'
import { partitionIndexName } from '../../src/updates/create-index/partitioned.js'

it('is the index and the partition, where PostgreSQL takes it whole', () => {
  expect(partitionIndexName('events_idx', { schema: 'public', name: 'events_2026' })).toBe('events_idx_events_2026')
})

it('never is too long, never cuts a character, and never is the same for two partitions', () => {
  // 63 characters of one byte, or fewer of more, are what names there can be.
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 63 })
    .filter((text) => Buffer.byteLength(text) <= 63 && text.isWellFormed())
  fc.assert(
    fc.property(name, name, name, (index, first, second) => {
      const names = [first, second].map((partition) => partitionIndexName(index, { schema: 's', name: partition }))
      for (const made of names) {
        expect(Buffer.byteLength(made)).toBeLessThanOrEqual(63)
        expect(made.isWellFormed()).toBe(true)
      }
      expect(names[0] === names[1]).toBe(first === second)
      expect(partitionIndexName(index, { schema: 's', name: first })).toBe(names[0])
    }),
  )
})
