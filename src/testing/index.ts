export { databaseConformance, type ConformanceCase } from './conformance.js'
export { fakeClock, type FakeClock } from './fake-clock.js'
