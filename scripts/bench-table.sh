#!/bin/sh
# The last results of every measurement, with date and commit.
echo "$(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD)"
node -e '
const fs = require("fs");
const dir = "target/bench";
for (const file of fs.readdirSync(dir).filter(name => name.endsWith(".json")).sort()) {
  console.log("\n" + file.replace(".json", ""));
  console.table(JSON.parse(fs.readFileSync(dir + "/" + file, "utf8")));
}'
