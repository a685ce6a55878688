// Runs the suites against what is broken. Started by testing_test.ts in a process of its own.
import { testCheckpointStore, testSource, testStore } from "@koprs/external/testing";
import { brokenCheckpoints } from "./_broken_checkpoints.ts";
import { brokenSources } from "./_broken_sources.ts";
import { brokenStores } from "./_broken_stores.ts";

for (const { name, setUp } of brokenStores) testStore(`store: ${name}`, setUp);
for (const { name, setUp } of brokenSources) testSource(`source: ${name}`, setUp);
for (const { name, setUp } of brokenCheckpoints) testCheckpointStore(`checkpoint: ${name}`, setUp);
