// Times, numbers and names of an incident, as the live page shows them.
import { moment, quantity, signalName, text, topicName } from "/static/common.js";

for (const node of document.querySelectorAll("[data-at]")) text(node, moment(Number(node.dataset.at)));
for (const node of document.querySelectorAll("[data-quantity]")) text(node, quantity(node.dataset.of, Number(node.dataset.quantity)));
for (const node of document.querySelectorAll("[data-signal]")) text(node, signalName(node.dataset.signal));
for (const node of document.querySelectorAll("[data-topic]")) text(node, topicName(node.dataset.topic));
