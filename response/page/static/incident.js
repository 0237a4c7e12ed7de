// Times, numbers and names of an incident, as the live page shows them.
import { amounts, moment, signalName, text, topicName } from "/static/common.js";

for (const node of document.querySelectorAll("[data-at]")) text(node, moment(Number(node.dataset.at)));
for (const group of document.querySelectorAll("[data-amounts]")) {
  const parts = [...group.querySelectorAll("[data-quantity]")];
  amounts(group.dataset.amounts, parts.map((node) => Number(node.dataset.quantity))).forEach((said, at) => text(parts[at], said));
}
for (const node of document.querySelectorAll("[data-signal]")) text(node, signalName(node.dataset.signal));
for (const node of document.querySelectorAll("[data-topic]")) text(node, topicName(node.dataset.topic));
