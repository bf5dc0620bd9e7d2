import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{engine,traces,replay,properties,examples}/**/*.test.ts'],
    testTimeout: 60_000,
  },
});
