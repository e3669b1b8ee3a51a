package scheduler

import "container/heap"

// deliveryHeap is a priority queue of deliveries.
type deliveryHeap struct {
	items []*Delivery
	less  func(a, b *Delivery) bool
}

func bySequence(a, b *Delivery) bool { return a.Seq < b.Seq }

func byDue(a, b *Delivery) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.Seq < b.Seq
}

func (h *deliveryHeap) push(d *Delivery) { heap.Push((*heapOps)(h), d) }

func (h *deliveryHeap) pop() *Delivery { return h.remove(0) }

func (h *deliveryHeap) remove(i int) *Delivery {
	d := heap.Remove((*heapOps)(h), i).(*Delivery)
	h.items = shrunk(h.items)
	return d
}

// heapOps keeps the methods that container/heap wants off deliveryHeap.
type heapOps deliveryHeap

func (h *heapOps) Len() int           { return len(h.items) }
func (h *heapOps) Less(i, j int) bool { return h.less(h.items[i], h.items[j]) }
func (h *heapOps) Swap(i, j int)      { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *heapOps) Push(x any)         { h.items = append(h.items, x.(*Delivery)) }
func (h *heapOps) Pop() any {
	n := len(h.items) - 1
	d := h.items[n]
	h.items[n] = nil
	h.items = h.items[:n]
	return d
}

// roomy is from which size on memory that was needed once is given back.
const roomy = 512

// shrunk returns list, in less memory when it needs only a quarter of what it has.
func shrunk(list []*Delivery) []*Delivery {
	if cap(list) <= roomy || len(list) > cap(list)/4 {
		return list
	}
	return append(make([]*Delivery, 0, cap(list)/2), list...)
}
